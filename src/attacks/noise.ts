import { keep, scope } from '../tensor/scope.ts'
import { operator, type Tensor, tensor, zeros } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { changePixels } from './pixels.ts'

const indexCopy = operator<void>('index_copy_')

/** What is added to each of some images: gray levels as int8, [rows, channels, height, width], on the CPU. */
export interface Noise {
  readonly levels: Tensor
  /** float32, in units of the whole range of pixels, of the given rows */
  read(rows: Int32Array, device: string): Tensor
  /** keeps float32 values in units of the whole range for the given rows, rounded to gray levels */
  write(rows: Int32Array, values: Tensor): void
}

export function noise(rows: number, shape: ImageShape): Noise {
  const levels = keep(zeros([rows, ...shape], { dtype: 'int8' }))
  const places = (chosen: Int32Array) => tensor(chosen, [chosen.length], 'int64')
  return {
    levels,
    read: (chosen, device) =>
      scope(() => levels.indexSelect(0, places(chosen)).to({ dtype: 'float32', device }).div(255)),
    write: (chosen, values) =>
      scope(() => {
        const rounded = values.detach().mul(255).round().to({ dtype: 'int8', device: 'cpu' })
        indexCopy(levels, 0, places(chosen), rounded)
      }),
  }
}

/** Adds to bytes what `levels` holds for the images at `indices`, `list` naming the image of each row. */
export function addNoise(levels: Tensor, list: Int32Array): (images: Tensor, indices: Int32Array) => Tensor {
  const rowOf = new Map(Array.from(list, (index, row) => [index, row]))
  return (images, indices) =>
    scope(() => {
      const rows = indices.map((index) => rowOf.get(index) as number)
      const own = levels.indexSelect(0, tensor(rows, [rows.length], 'int64'))
      return changePixels(images, (pixels) => pixels.add(own.to({ dtype: 'float32' })))
    })
}
