import { scope } from '../../tensor/scope.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** Squared Euclidean distances between points, [count, width] to [count, count]; at least 0, and 0 to oneself up to rounding. */
export function squaredDistances(points: Tensor): Tensor {
  return scope(() => {
    const centered = points.sub(points.mean([0], true)) // far from 0 the squares would cancel badly
    const squares = centered.square().sum([1])
    const products = centered.matmul(centered.transpose(0, 1))
    return products.mul_(-2).add_(squares.unsqueeze(1)).add_(squares.unsqueeze(0)).clamp(0, null)
  })
}
