import { scope } from '../../tensor/scope.ts'
import { arange, full, operator, type Tensor, where } from '../../tensor/tensor.ts'
import { squaredDistances } from './distances.ts'

const sortedPlaces = operator('argsort')
const scatter_ = operator('scatter_.src')

/** The places of each point's neighbors, the nearest first, without itself: int64 [count, count − 1]. */
function ranking(points: Tensor): Tensor {
  return scope(() => {
    const count = points.size(0)
    const self = arange(count).unsqueeze(1).eq(arange(count))
    const distances = where(self, full([count, count], Infinity), squaredDistances(points.to({ dtype: 'float32' })))
    return sortedPlaces(distances, 1, false)
      .narrow(1, 0, count - 1)
      .contiguous()
  })
}

/** The places of each point's `k` nearest neighbors, [count][k]; as many as there are where there are fewer. */
export function nearestNeighbors(points: Tensor, k: number): Int32Array[] {
  return scope(() => {
    const each = Math.min(k, points.size(0) - 1)
    const flat = ranking(points).narrow(1, 0, each).numbers()
    return Array.from({ length: points.size(0) }, (_, i) => Int32Array.from(flat.slice(i * each, (i + 1) * each)))
  })
}

/** The label that most of a point's neighbors have; of several as frequent the nearest one's. */
export function labelAround(neighbors: Int32Array, labels: ArrayLike<number>): number {
  const counts = new Map<number, number>()
  for (const i of neighbors) counts.set(labels[i] as number, (counts.get(labels[i] as number) ?? 0) + 1)
  const most = Math.max(...counts.values())
  return [...counts].find(([, count]) => count === most)?.[0] as number
}

/**
 * Trustworthiness of a drawing (Venna and Kaski 2001), in [0, 1]: 1 − 2/(nk(2n − 3k − 1)) · Σ_i Σ_j (r_ij − k), over the
 * points j that are among the k nearest of i where they are drawn and not in `points`, r_ij their rank there.
 */
export function trustworthiness(points: Tensor, drawn: Tensor, k: number): number {
  return scope(() => {
    const count = points.size(0)
    const order = ranking(points)
    const ranks = full([count, count], 0)
    const places = arange(count - 1)
      .add(1)
      .to({ dtype: 'float32' })
      .unsqueeze(0)
      .expand(count, -1)
      .contiguous()
    scatter_(ranks, 1, order, places)
    const near = ranking(drawn).narrow(1, 0, k)
    const excess = ranks.gather(1, near.contiguous()).sub(k).clamp(0, null).sum().item()
    return 1 - (2 / (count * k * (2 * count - 3 * k - 1))) * excess
  })
}
