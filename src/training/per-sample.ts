import type { Stateful } from '../nn/module.ts'
import { keep } from '../tensor/scope.ts'
import { operator, type Tensor, tensor, zeros } from '../tensor/tensor.ts'

const indexCopy = operator<void>('index_copy_')

/** One number per training image, filled batch by batch and saved with a stage. */
export interface PerSample extends Stateful {
  /** values [batch] for the images at `indices` */
  set(indices: Int32Array, values: Tensor): void
  /** a copy of all of them */
  read(): Float32Array
}

export function perSample(count: number): PerSample {
  const values = keep(zeros([count]))
  return {
    tensors: { values },
    set(indices, batch) {
      indexCopy(
        values,
        0,
        tensor(indices, [indices.length], 'int64'),
        batch.detach().to({ device: 'cpu', dtype: 'float32' }),
      )
    },
    read: () => values.data() as Float32Array,
  }
}
