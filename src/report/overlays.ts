import type { ImageShape } from '../training/images.ts'
import { pixelsIn, type Rectangle } from './place.ts'

// Pictures with something pointed at in red: rows of bytes, [height, width, 3].

/** red of the heat and of outlines */
const red = [220, 30, 30] as const
/** the image still shows through where the heat is largest */
const mostHeat = 0.85

/** The image of a row in gray, and red where a value is large; [height · width] values, of which those below 0 count as 0. */
export function heatMap(values: Float32Array, row: Uint8Array, shape: ImageShape): Uint8Array {
  const largest = values.reduce((a, b) => Math.max(a, b), 0)
  const share = (pixel: number) => (mostHeat * Math.max(0, values[pixel] as number)) / Math.max(1e-9, largest)
  return reddened(withChannels(row, shape, grayOf), share)
}

/** The image of a row, and a red line around each rectangle. */
export function outlined(rectangles: readonly Rectangle[], row: Uint8Array, shape: ImageShape): Uint8Array {
  const [, height, width] = shape
  const line = Math.max(1, Math.round(Math.min(height, width) / 64))
  const inside = new Set(rectangles.flatMap((each) => pixelsIn(each, width)))
  const wide = new Set(rectangles.flatMap((each) => pixelsIn(grown(each, line, { height, width }), width)))
  return reddened(withChannels(row, shape, colorOf), (pixel) => (wide.has(pixel) && !inside.has(pixel) ? 1 : 0))
}

function grown({ top, left, ...size }: Rectangle, by: number, image: { height: number; width: number }): Rectangle {
  const [from, to] = [Math.max(0, top - by), Math.min(image.height, top + size.height + by)]
  const [first, last] = [Math.max(0, left - by), Math.min(image.width, left + size.width + by)]
  return { top: from, left: first, height: to - from, width: last - first }
}

/** The image, `share` of each pixel's color red. */
function reddened(picture: Uint8Array, share: (pixel: number) => number): Uint8Array {
  return picture.map((value, i) => value + share(Math.floor(i / 3)) * ((red[i % 3] as number) - value))
}

/** The row as [height, width, 3]. */
function withChannels(
  row: Uint8Array,
  [channels]: ImageShape,
  seen: (pixel: Uint8Array) => readonly number[],
): Uint8Array {
  const picture = new Uint8Array((3 * row.length) / channels)
  for (let i = 0; 3 * i < picture.length; i++) picture.set(seen(row.subarray(i * channels, (i + 1) * channels)), 3 * i)
  return picture
}

const grayOf = (pixel: Uint8Array) => {
  const gray = pixel.reduce((a, b) => a + b, 0) / pixel.length
  return [gray, gray, gray]
}

/** of other than three channels the first, as pictures of such images are drawn */
const colorOf = (pixel: Uint8Array) => (pixel.length === 3 ? [...pixel] : [pixel[0], pixel[0], pixel[0]]) as number[]
