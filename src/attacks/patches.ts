import { keep, scope } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { type Corner, changePixels, placeSquare } from './pixels.ts'

/** A square picture somewhere on an image. */
export interface Patch {
  readonly corner: Corner
  readonly side: number
  readonly margin: number
  /** how strongly it shows, 1 where it hides what is below */
  readonly opacity: number
  /** whether it is added to what is below, which stays: x' = x + α·t */
  readonly keeps?: boolean
  /** 0 to 255, of a channel at a row and column of the patch */
  value(channel: number, row: number, column: number): number
}

/** x' = (1 − α)·x + α·t inside the patches and x elsewhere; later patches lie on earlier ones. */
export function patches(shape: ImageShape, list: readonly Patch[]): (images: Tensor) => Tensor {
  const [channels, height, width] = shape
  const added = new Float32Array(channels * height * width) // α·t
  const left = new Float32Array(channels * height * width).fill(1) // 1 − α
  for (const patch of list) {
    const at = placeSquare(patch, shape)
    for (let c = 0; c < channels; c++) {
      for (let row = 0; row < patch.side; row++) {
        for (let column = 0; column < patch.side; column++) {
          const i = (c * height + at.top + row) * width + at.left + column
          added[i] = patch.opacity * patch.value(c, row, column)
          left[i] = patch.keeps ? 1 : 1 - patch.opacity
        }
      }
    }
  }
  const share = keep(tensor(added, [1, channels, height, width]))
  const rest = keep(tensor(left, [1, channels, height, width]))
  return (images) => scope(() => changePixels(images, (pixels) => pixels.mul(rest).add(share)))
}
