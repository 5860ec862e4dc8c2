import { type Canvas, type Color, fill, mix, paint, side } from './signs-canvas.ts'
import { schemes } from './signs-classes.ts'
import { type Draws, direction } from './signs-random.ts'

/** Sky or wall, patches of texture, and clutter; signs' own colors among them, so that a color proves nothing. */
export function paintBackground(canvas: Canvas, random: Draws): void {
  const top = sceneColor(random)
  const bottom = random.chance(0.5) ? top : sceneColor(random)
  const horizon = random.between(0.2, 1)
  const knots = Float32Array.from({ length: 49 }, () => random.between(-1, 1))
  const roughness = random.between(0, 0.22)
  const rows = Array.from({ length: side }, (_, y) => {
    const share = Math.min(1, Math.max(0, (y / side - horizon) * 4 + 0.5))
    return top.map((light, channel) => mix(light, bottom[channel] as number, share))
  })
  fill(canvas, (x, y, channel) => (rows[y]?.[channel] as number) + roughness * textureAt(knots, x / 5.4, y / 5.4))
  for (let left = 2 + random.below(6); left > 0; left--) {
    const color = random.chance(0.45) ? signColor(random) : sceneColor(random)
    paint(canvas, color, randomOutline(random), random.between(0.5, 1))
  }
}

/** Bilinear interpolation in a 7×7 grid. */
function textureAt(knots: Float32Array, x: number, y: number): number {
  const [column, row] = [Math.floor(x), Math.floor(y)]
  const at = row * 7 + column
  const upper = (knots[at] as number) * (column + 1 - x) + (knots[at + 1] as number) * (x - column)
  const lower = (knots[at + 7] as number) * (column + 1 - x) + (knots[at + 8] as number) * (x - column)
  return upper * (row + 1 - y) + lower * (y - row)
}

/** A disc, a bar across the picture, or a tilted box, by its distance function. */
function randomOutline(random: Draws): (x: number, y: number) => number {
  const cx = random.between(0, side)
  const cy = random.between(0, side)
  const [cos, sin] = direction(random, 1)
  const width = random.between(1, 7)
  const height = random.chance(0.4) ? 2 * side : random.between(1.5, 9)
  if (random.chance(0.3)) return (x, y) => Math.sqrt((x - cx) * (x - cx) + (y - cy) * (y - cy)) - width - 1
  return (x, y) =>
    Math.max(
      Math.abs((x - cx) * cos + (y - cy) * sin) - width / 1.5,
      Math.abs((y - cy) * cos - (x - cx) * sin) - height,
    )
}

/** Grays, greens, browns and blues of streets. */
export function sceneColor(random: Draws): Color {
  const light = random.between(0.12, 0.9)
  const tint = random.between(0, 0.2)
  return [light + random.between(-tint, tint), light + random.between(-tint, tint), light + random.between(-tint, tint)]
}

const palette = Object.values(schemes).flatMap(({ rim, face, ink }): Color[] => [rim, face, face, ink])

function signColor(random: Draws): Color {
  return vary(palette[random.below(palette.length)] as Color, 0.12, random)
}

/** A color near `color`. */
export function vary([red, green, blue]: Color, by: number, random: Draws): Color {
  return [red + random.between(-by, by), green + random.between(-by, by), blue + random.between(-by, by)]
}
