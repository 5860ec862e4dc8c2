import { scope } from '../../tensor/scope.ts'
import { operator, stack, type Tensor } from '../../tensor/tensor.ts'

const eigen = operator<Tensor[]>('linalg_eigh')

/**
 * The first two principal components of points, [count, width] to float32 [count, 2]: the projections on the two directions of
 * the largest variance. A direction's sign is chosen so that its largest part is positive. Points of width 1 have a second
 * component of 0.
 */
export function principalComponents(points: Tensor): Tensor {
  return scope(() => {
    const exact = points.to({ dtype: 'float64' })
    const centered = exact.sub(exact.mean([0], true))
    const [, directions] = eigen(centered.transpose(0, 1).matmul(centered), 'L') as [Tensor, Tensor] // ascending
    const width = points.size(1)
    const along = (k: number) => {
      if (k < 0) return centered.select(1, 0).mul(0)
      const direction = directions.select(1, k)
      const largest = direction.numbers().reduce((most, each) => (Math.abs(each) > Math.abs(most) ? each : most), 0)
      return centered.matmul(direction.mul(Math.sign(largest) || 1))
    }
    return stack([along(width - 1), along(width - 2)], 1).to({ dtype: 'float32' })
  })
}
