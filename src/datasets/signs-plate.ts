import { sceneColor, vary } from './signs-background.ts'
import { type Canvas, type Color, mix, paint, side } from './signs-canvas.ts'
import { layer, plate, plates, schemes, signClasses } from './signs-classes.ts'
import { type Draws, direction } from './signs-random.ts'

const { points, reach } = plate
const { none } = layer
/** points looked up along each side of a pixel */
const fine = 3

type NineNumbers = readonly [number, number, number, number, number, number, number, number, number]

interface Place {
  readonly x: number
  readonly y: number
  readonly radius: number
}

/** A plate in perspective on a post, faded by weather; never so large or far off that it covers a picture's corner. */
export function paintSign(canvas: Canvas, label: number, random: Draws): Place {
  const radius = random.between(9.5, 13)
  const { x, y } = somewhere(Math.min(4.5, 15.6 - radius), random)
  if (random.chance(0.6)) paintPost(canvas, { x, y, radius }, random)
  const scheme = schemes[signClasses[label]?.scheme as keyof typeof schemes]
  const gray = random.between(0.35, 0.75)
  const fade = random.between(0, 0.28)
  const color = (of: Color): Color => {
    const [red, green, blue] = vary(of, 0.07, random)
    return [mix(red, gray, fade), mix(green, gray, fade), mix(blue, gray, fade)]
  }
  // some are lit from inside, bright on dark where others are dark on bright: no pixel's brightness stands for a class
  const [face, ink] = random.chance(0.5) ? [scheme.face, scheme.ink] : [scheme.ink, scheme.face]
  const colors = Float64Array.of(0, 0, 0, ...color(scheme.rim), ...color(face), ...color(ink))
  const toPlate = camera({ x, y, radius }, random)
  const counts = new Int32Array(4)
  const far = 1.5 * radius + 2
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      if ((column - x) * (column - x) + (row - y) * (row - y) > far * far) continue
      countLayers(plates[label] as Uint8Array, toPlate, { column, row, counts })
      cover(canvas, row * side + column, { counts, colors })
    }
  }
  return { x, y, radius }
}

/** A point in a disc of `play` pixels about the picture's middle. */
function somewhere(play: number, random: Draws): { readonly x: number; readonly y: number } {
  for (;;) {
    const [dx, dy] = [random.between(-1, 1), random.between(-1, 1)]
    if (dx * dx + dy * dy <= 1) return { x: side / 2 + play * dx, y: side / 2 + play * dy }
  }
}

/** Homography from pixels to the plate: a plane rolled, tipped and turned, seen from a few radii away. */
function camera({ x, y, radius }: Place, random: Draws): NineNumbers {
  const [rollCos, rollSin] = direction(random, 0.16)
  const [tipCos, tipSin] = direction(random, 0.22)
  const [turnCos, turnSin] = direction(random, 0.3)
  const distance = random.between(3, 7)
  // the rotated plane's two axes
  const [ax, ay, az] = [
    turnCos * rollCos,
    tipCos * rollSin + tipSin * turnSin * rollCos,
    tipSin * rollSin - tipCos * turnSin * rollCos,
  ]
  const [bx, by, bz] = [
    -turnCos * rollSin,
    tipCos * rollCos - tipSin * turnSin * rollSin,
    tipSin * rollCos + tipCos * turnSin * rollSin,
  ]
  const zoom = radius * distance
  const [a, b, c] = [x * az + zoom * ax, x * bz + zoom * bx, x * distance]
  const [d, e, f] = [y * az + zoom * ay, y * bz + zoom * by, y * distance]
  const [g, h, i] = [az, bz, distance]
  // its inverse, but for a factor that cancels
  return [
    e * i - f * h,
    c * h - b * i,
    b * f - c * e,
    f * g - d * i,
    a * i - c * g,
    c * d - a * f,
    d * h - e * g,
    b * g - a * h,
    a * e - b * d,
  ]
}

interface Pixel {
  readonly column: number
  readonly row: number
  /** out: how many of the pixel's points show each layer */
  readonly counts: Int32Array
}

function countLayers(cells: Uint8Array, matrix: NineNumbers, { column, row, counts }: Pixel): void {
  const [a, b, c, d, e, f, g, h, i] = matrix
  const scale = points / (2 * reach)
  counts.fill(0)
  for (let v = 0.5; v < fine; v++) {
    const y = row + v / fine
    for (let u = 0.5; u < fine; u++) {
      const x = column + u / fine
      const w = g * x + h * y + i
      const px = Math.floor(((a * x + b * y + c) / w + reach) * scale)
      const py = Math.floor(((d * x + e * y + f) / w + reach) * scale)
      const shown = px >= 0 && px < points && py >= 0 && py < points ? (cells[py * points + px] as number) : none
      counts[shown] = (counts[shown] as number) + 1
    }
  }
}

/** Lays the counted layers over pixel `i`, each by its share of the pixel's points. */
function cover(canvas: Canvas, i: number, { counts, colors }: { counts: Int32Array; colors: Float64Array }): void {
  const bare = counts[none] as number
  if (bare === fine * fine) return
  const pixels = canvas.length / 3
  for (let channel = 0; channel < 3; channel++) {
    let sum = bare * (canvas[channel * pixels + i] as number)
    for (let l = 1; l < 4; l++) sum += (counts[l] as number) * (colors[3 * l + channel] as number)
    canvas[channel * pixels + i] = sum / (fine * fine)
  }
}

function paintPost(canvas: Canvas, { x, y, radius }: Place, random: Draws): void {
  const gray = random.between(0.25, 0.7)
  const thick = random.between(0.6, 1.3)
  paint(canvas, [gray, gray, gray], (px, py) => Math.max(Math.abs(px - x) - thick, y - py))
  if (random.chance(0.35)) {
    // a plate below the sign, as streets have
    const below = y + radius * random.between(1.15, 1.4)
    paint(canvas, sceneColor(random), (px, py) => Math.max(Math.abs(px - x) - radius * 0.7, Math.abs(py - below) - 2.5))
  }
}

/** A branch or an edge in front of the sign, over about a sixth of it. */
export function paintOccluder(canvas: Canvas, { x, y, radius }: Place, random: Draws): void {
  const [cos, sin] = direction(random, 1)
  const shift = radius * random.between(0.25, 0.9) * (random.chance(0.5) ? 1 : -1)
  const width = random.between(0.7, 1.8)
  paint(canvas, sceneColor(random), (px, py) => Math.abs((px - x) * cos + (py - y) * sin - shift) - width)
}
