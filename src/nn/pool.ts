import { operator, type Tensor } from '../tensor/tensor.ts'

const maxPool2d = operator('max_pool2d')
const averagePool2d = operator('avg_pool2d')
const adaptiveAveragePool2d = operator('adaptive_avg_pool2d')

/** The largest value of each window; [batch, channels, height, width] in and out. Windows that do not fit are left out. */
export function maxPool(
  input: Tensor,
  { kernel, stride = kernel, padding = 0 }: { kernel: number; stride?: number; padding?: number },
): Tensor {
  return maxPool2d(input, [kernel, kernel], [stride, stride], [padding, padding])
}

/** The means of windows of `kernel` × `kernel` that do not overlap; those that do not fit are left out. */
export function averagePool(input: Tensor, kernel: number): Tensor {
  return averagePool2d(input, [kernel, kernel], [kernel, kernel])
}

/** Means over a grid of `side` × `side` windows that cover the input and may overlap, as PyTorch lays them. */
export function averagePoolTo(input: Tensor, side: number): Tensor {
  return adaptiveAveragePool2d(input, [side, side])
}

/** The mean over all places, fp32 [batch, channels]. */
export function meanOfPlaces(input: Tensor): Tensor {
  return input.to({ dtype: 'float32' }).mean([2, 3])
}
