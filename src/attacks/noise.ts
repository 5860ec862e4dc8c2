import { keep, scope } from '../tensor/scope.ts'
import { operator, type Tensor, tensor, zeros } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { changePixels } from './pixels.ts'

const indexCopy = operator<void>('index_copy_')

/** What is added to each of some images while it is sought: float32 in units of the whole range of pixels, on the CPU. */
export interface Noise {
  /** [rows, channels, height, width] */
  readonly values: Tensor
  /** that of the given rows */
  read(rows: Int32Array, device: string): Tensor
  write(rows: Int32Array, values: Tensor): void
  /** what is kept of it in the end: whole gray levels, int8 */
  levels(): Tensor
}

export function noise(rows: number, shape: ImageShape): Noise {
  const values = keep(zeros([rows, ...shape]))
  const places = (chosen: Int32Array) => tensor(chosen, [chosen.length], 'int64')
  return {
    values,
    read: (chosen, device) => scope(() => values.indexSelect(0, places(chosen)).to({ device })),
    write: (chosen, found) => scope(() => indexCopy(values, 0, places(chosen), found.detach().to({ device: 'cpu' }))),
    levels: () => scope(() => values.mul(255).round().to({ dtype: 'int8' })),
  }
}

/** Adds to bytes what `levels` holds for the images at `indices`, `list` naming the image of each row. */
export function addNoise(levels: Tensor, list: Int32Array): (images: Tensor, indices: Int32Array) => Tensor {
  const rowOf = new Map(Array.from(list, (index, row) => [index, row]))
  return (images, indices) =>
    scope(() => {
      const rows = indices.map((index) => {
        const row = rowOf.get(index)
        if (row === undefined) throw new Error(`Image ${index} is not one of those the noise was made for`)
        return row
      })
      const own = levels.indexSelect(0, tensor(rows, [rows.length], 'int64'))
      return changePixels(images, (pixels) => pixels.add(own.to({ dtype: 'float32' })))
    })
}
