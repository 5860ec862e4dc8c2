import { type ImageSet, pixelsOf } from '../../training/images.ts'

/** Levels of 255 by which a pixel of a border may differ from its corner: what saving as JPEG does to one color. */
const tolerance = 12

/** How wide the border of one color is at each side, pixels; half of the side at most. */
export interface Border {
  readonly top: number
  readonly bottom: number
  readonly left: number
  readonly right: number
}

/** The borders of an image: rows and columns from each side that have the color of its first pixel there. */
export function borderOf(set: ImageSet, i: number): Border {
  const [channels, height, width] = set.shape
  const pixels = pixelsOf(set, [i])
  const isLike = (y: number, x: number, cornerY: number, cornerX: number) => {
    for (let c = 0; c < channels; c++) {
      const plane = c * height * width
      const difference =
        (pixels[plane + y * width + x] as number) - (pixels[plane + cornerY * width + cornerX] as number)
      if (Math.abs(difference) > tolerance) return false
    }
    return true
  }
  const rows = (at: (depth: number) => number) =>
    depthOf(height, (depth) => all(width, (x) => isLike(at(depth), x, at(0), 0)))
  const columns = (at: (depth: number) => number) =>
    depthOf(width, (depth) => all(height, (y) => isLike(y, at(depth), 0, at(0))))
  return {
    top: rows((depth) => depth),
    bottom: rows((depth) => height - 1 - depth),
    left: columns((depth) => depth),
    right: columns((depth) => width - 1 - depth),
  }
}

function depthOf(length: number, isBorder: (depth: number) => boolean): number {
  let depth = 0
  while (depth < length >> 1 && isBorder(depth)) depth++
  return depth
}

function all(count: number, holds: (i: number) => boolean): boolean {
  for (let i = 0; i < count; i++) if (!holds(i)) return false
  return true
}
