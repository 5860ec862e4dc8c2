import { operator, type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { changePixels } from './pixels.ts'

const gridSample = operator('grid_sampler_2d')
const bilinear = 0
/** What lies beyond the border, by libtorch's numbers: black, the pixels at the border, or the image mirrored. */
const beyond = { black: 0, border: 1, mirrored: 2 } as const

/** Bytes [count, channels, height, width] sampled bilinearly at a grid [1 or count, height, width, 2], as `gridOf` makes it. */
export function warp(images: Tensor, grid: Tensor, { border }: { border: keyof typeof beyond }): Tensor {
  const [count, , height, width] = images.shape as [number, number, number, number]
  return changePixels(images, (pixels) =>
    gridSample(pixels, grid.expand(count, height, width, 2), bilinear, beyond[border], true),
  )
}

/**
 * Where each pixel comes from, `from` telling row and column by row and column;
 * [1, height, width, (x, y)], −1 to 1 from the first pixel to the last.
 */
export function gridOf(
  [, height, width]: ImageShape,
  from: (y: number, x: number) => readonly [number, number],
): Tensor {
  const values = new Float32Array(height * width * 2)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [row, column] = from(y, x)
      values[2 * (y * width + x)] = (2 * column) / (width - 1) - 1
      values[2 * (y * width + x) + 1] = (2 * row) / (height - 1) - 1
    }
  }
  return tensor(values, [1, height, width, 2])
}
