import type { Stateful } from '../nn/module.ts'
import { keep, scope } from '../tensor/scope.ts'
import { operator, type Tensor, tensor, zeros } from '../tensor/tensor.ts'

const indexCopy = operator<void>('index_copy_')

/** One number per training image, filled batch by batch and saved with a stage. */
export interface PerSample extends Stateful {
  /** values [batch] for the images at `indices` */
  set(indices: Int32Array, values: Tensor): void
  /** adds `weight` times these to those of the images at `indices` */
  add(indices: Int32Array, numbers: readonly number[], weight: number): void
  /** a copy of all of them */
  read(): Float32Array
}

/** Zeros at first; on the device, where a step need not wait for them. */
export function perSample(count: number, device: string): PerSample {
  const values = keep(zeros([count], { device }))
  const placesOf = (indices: Int32Array) => tensor(indices, [indices.length], 'int64').to({ device })
  const set = (indices: Int32Array, batch: Tensor) =>
    scope(() => indexCopy(values, 0, placesOf(indices), batch.detach().to({ device, dtype: 'float32' })))
  return {
    tensors: { values },
    set,
    add: (indices, numbers, weight) =>
      scope(() => {
        const before = values.indexSelect(0, placesOf(indices)).numbers()
        const after = Float32Array.from(before, (each, k) => each + weight * (numbers[k] as number))
        set(indices, tensor(after, [after.length]))
      }),
    read: () => values.data() as Float32Array,
  }
}
