// Points on a canvas, and what of them lies where. Drawn in two dimensions without WebGL: the libraries that draw points by
// WebGL compile code while they run, which the page's policy forbids, and ten thousand squares take a few milliseconds.

export interface Camera {
  /** the place in the middle of the canvas */
  readonly x: number
  readonly y: number
  /** pixels of the canvas's shorter side that a length of 2 takes, as a multiple of that side */
  readonly zoom: number
}

export const whole: Camera = { x: 0, y: 0, zoom: 0.94 }

export interface Points {
  /** x and y in turn, both in [-1, 1] */
  readonly places: readonly number[]
  /** the color of each point: an index in `colors` */
  readonly color: ArrayLike<number>
  /** drawn larger, above the others, with a rim */
  readonly marked: (point: number) => boolean
}

export interface Look {
  readonly colors: readonly string[]
  readonly rim: string
  readonly chosen: ReadonlySet<number>
  readonly under: number | null
}

export interface Size {
  readonly width: number
  readonly height: number
}

const scaleOf = ({ width, height }: Size, { zoom }: Camera) => (zoom * Math.min(width, height)) / 2

/** The place that lies at a pixel. */
export function placeAt(pixel: readonly [number, number], size: Size, camera: Camera): [number, number] {
  const scale = scaleOf(size, camera)
  return [camera.x + (pixel[0] - size.width / 2) / scale, camera.y - (pixel[1] - size.height / 2) / scale]
}

/** The camera that is nearer by a factor, where what lies at a pixel stays there. */
export function zoomed(
  camera: Camera,
  factor: number,
  { pixel, size }: { pixel: readonly [number, number]; size: Size },
): Camera {
  const zoom = Math.min(200, Math.max(0.5, camera.zoom * factor))
  const [x, y] = placeAt(pixel, size, camera)
  const ratio = camera.zoom / zoom
  return { zoom, x: x + (camera.x - x) * ratio, y: y + (camera.y - y) * ratio }
}

/** Draws all points: those of one color together, then what is marked, chosen, and under the pointer. */
export function draw(
  canvas: CanvasRenderingContext2D,
  { places, color, marked }: Points,
  { camera, size, look }: { camera: Camera; size: Size; look: Look },
): void {
  const { colors, rim, chosen, under } = look
  const scale = scaleOf(size, camera)
  const side = Math.min(9, (color.length > 4000 ? 3 : 4) + Math.log2(Math.max(1, camera.zoom)))
  const [left, top] = [size.width / 2 - scale * camera.x, size.height / 2 + scale * camera.y]
  const square = (point: number, side: number) => {
    const x = left + scale * (places[2 * point] as number) - side / 2
    const y = top - scale * (places[2 * point + 1] as number) - side / 2
    if (x > -side && y > -side && x < size.width && y < size.height) canvas.fillRect(x, y, side, side)
  }
  canvas.clearRect(0, 0, size.width, size.height)
  canvas.globalAlpha = chosen.size > 0 ? 0.35 : 0.85
  for (const [i, each] of colors.entries()) {
    canvas.fillStyle = each
    for (let point = 0; point < color.length; point++) if (color[point] === i && !marked(point)) square(point, side)
  }
  canvas.globalAlpha = 1
  const rimmed = (point: number, side: number) => {
    canvas.fillStyle = rim
    square(point, side + 3)
    canvas.fillStyle = colors[color[point] as number] as string
    square(point, side)
  }
  for (let point = 0; point < color.length; point++) if (marked(point)) rimmed(point, side)
  for (const point of chosen) rimmed(point, side + 2)
  if (under !== null) rimmed(under, side + 6)
}

/** The point nearest to a pixel, within so many pixels; null where there is none. */
export function nearest(
  { places }: Points,
  [x, y]: readonly [number, number],
  { camera, size, within = 12 }: { camera: Camera; size: Size; within?: number },
): number | null {
  const [px, py] = placeAt([x, y], size, camera)
  let found: number | null = null
  let least = (within / scaleOf(size, camera)) ** 2
  for (let i = 0; i < places.length; i += 2) {
    const distance = ((places[i] as number) - px) ** 2 + ((places[i + 1] as number) - py) ** 2
    if (distance <= least) [found, least] = [i / 2, distance]
  }
  return found
}

/** The points inside a closed line of places: those from which a ray crosses the line an odd number of times. */
export function inside({ places }: Points, line: readonly (readonly [number, number])[]): number[] {
  const found: number[] = []
  for (let point = 0; point < places.length / 2; point++) {
    const [x, y] = [places[2 * point] as number, places[2 * point + 1] as number]
    let odd = false
    for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
      const [xi, yi] = line[i] as [number, number]
      const [xj, yj] = line[j] as [number, number]
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd
    }
    if (odd) found.push(point)
  }
  return found
}
