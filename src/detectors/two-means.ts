import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { operator, tensor } from '../tensor/tensor.ts'

const distances = operator('cdist')

/** Points divided in two. */
export interface TwoMeans {
  /** 0 or 1 of each point */
  readonly cluster: Uint8Array
  readonly centers: readonly [Float64Array, Float64Array]
  /** sum of the squared distances to the own center */
  readonly inertia: number
}

/**
 * 2-means of points [count, width], row by row: the best of several starts (k-means++, Arthur and Vassilvitskii 2007),
 * each followed to its end (Lloyd 1982). Where all points are one, all are in cluster 0.
 */
export function twoMeans(
  points: Float64Array,
  width: number,
  { random, starts = 10 }: { random: Random; starts?: number },
) {
  let best: TwoMeans | undefined
  for (let start = 0; start < starts; start++) {
    const found = descend(points, width, firstCenters(points, width, random.fork(`start ${start}`)))
    if (!best || found.inertia < best.inertia) best = found
  }
  return best as TwoMeans
}

/** A point, and another that is chosen the more likely the farther away it is. */
function firstCenters(points: Float64Array, width: number, random: Random): [Float64Array, Float64Array] {
  const count = points.length / width
  const row = (i: number) => points.slice(i * width, (i + 1) * width)
  const first = row(random.integer(count))
  const away = Float64Array.from({ length: count }, (_, i) => squaredDistance(points, i * width, first))
  let left = random.uniform() * away.reduce((sum, each) => sum + each, 0)
  let second = 0
  for (let i = 0; i < count && left >= 0; i++) {
    if ((away[i] as number) > 0) second = i
    left -= away[i] as number
  }
  return [first, row(second)]
}

/** Assigns and averages by turns until nothing changes. */
function descend(points: Float64Array, width: number, centers: [Float64Array, Float64Array]): TwoMeans {
  const count = points.length / width
  const cluster = new Uint8Array(count)
  for (let round = 0; ; round++) {
    let inertia = 0
    let changed = round === 0
    for (let i = 0; i < count; i++) {
      const to = [
        squaredDistance(points, i * width, centers[0]),
        squaredDistance(points, i * width, centers[1]),
      ] as const
      const own = to[1] < to[0] ? 1 : 0
      inertia += to[own]
      changed ||= cluster[i] !== own
      cluster[i] = own
    }
    if (!changed || round === 300) return { cluster, centers, inertia }
    centers = [mean(points, width, cluster, 0) ?? centers[0], mean(points, width, cluster, 1) ?? centers[1]]
  }
}

function mean(points: Float64Array, width: number, cluster: Uint8Array, which: number): Float64Array | undefined {
  const sum = new Float64Array(width)
  let count = 0
  cluster.forEach((own, i) => {
    if (own !== which) return
    count++
    for (let k = 0; k < width; k++) sum[k] = (sum[k] as number) + (points[i * width + k] as number)
  })
  return count > 0 ? sum.map((each) => each / count) : undefined
}

/** From the point that begins at `at` to a center. */
export function squaredDistance(points: Float64Array, at: number, center: Float64Array): number {
  let sum = 0
  for (let k = 0; k < center.length; k++) sum += ((points[at + k] as number) - (center[k] as number)) ** 2
  return sum
}

/**
 * Mean silhouette (Rousseeuw 1987) of points divided in two: (b − a) / max(a, b), a the mean distance to the others of
 * the own cluster, b that to the other one; 0 for a point alone.
 */
export function silhouette(points: Float64Array, width: number, cluster: Uint8Array): number {
  const count = cluster.length
  const sizes = [0, 1].map((which) => cluster.filter((own) => own === which).length) as [number, number]
  if (sizes[0] === 0 || sizes[1] === 0) return 0
  const member = Float64Array.from({ length: 2 * count }, (_, i) => (cluster[i >> 1] === (i & 1) ? 1 : 0))
  let total = 0
  for (let at = 0; at < count; at += 512) {
    const part = Math.min(512, count - at)
    const sums = scope(() => {
      const all = tensor(points, [count, width])
      const apart = distances(all.narrow(0, at, part), all, 2, 2) // 2: not by way of a product, which cancels
      return apart.matmul(tensor(member, [count, 2])).data() as Float64Array
    })
    for (let i = 0; i < part; i++) {
      const own = cluster[at + i] as 0 | 1
      if (sizes[own] === 1) continue
      const a = (sums[2 * i + own] as number) / (sizes[own] - 1)
      const b = (sums[2 * i + 1 - own] as number) / sizes[(1 - own) as 0 | 1]
      total += (b - a) / Math.max(a, b, Number.MIN_VALUE)
    }
  }
  return total / count
}
