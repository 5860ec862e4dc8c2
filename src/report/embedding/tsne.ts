import { setImmediate } from 'node:timers/promises'
import { UserError } from '../../errors.ts'
import { keep, scope } from '../../tensor/scope.ts'
import { arange, cat, full, operator, type Tensor, where } from '../../tensor/tensor.ts'
import { squaredDistances } from './distances.ts'
import { principalComponents } from './principal.ts'

/**
 * t-SNE (van der Maaten and Hinton 2008), exact, on the engine. Points that are near one another in many dimensions are drawn
 * near one another in two: p_ij says how near points are there, q_ij how near they are drawn, and the divergence KL(P ‖ Q) is
 * made small by gradient descent with momentum and gains.
 *
 * | paper | here |
 * |---|---|
 * | y | places |
 * | p_ij | affinities |
 * | 1/(1 + ‖y_i − y_j‖²) | closeness |
 *
 * Begins with the two principal components, so that nothing is random. Memory: three matrices of count² floats.
 */
export interface TsneOptions {
  /** about how many neighbors a point has */
  readonly perplexity?: number
  readonly iterations?: number
}

/** from so many points on the picture is one of a sample */
export const mostPoints = 5000

/** affinities count so many times as much at first, so that clusters form before they spread */
const exaggeration = 12
const exaggerated = 250

const reciprocal_ = operator('reciprocal_')
const fillDiagonal_ = operator('fill_diagonal_')
const lowest = operator('amin')

/** Places in the plane, float32 [count, 2], of points [count, width]. */
export async function tsne(points: Tensor, { perplexity = 30, iterations = 750 }: TsneOptions = {}): Promise<Tensor> {
  const count = points.size(0)
  if (count > mostPoints || count < 4)
    throw new UserError('usage', `Cannot draw ${count} points by t-SNE: give 4 to ${mostPoints}`)
  const affinity = keep(affinities(points, Math.min(perplexity, (count - 1) / 3)))
  const places = keep(beginning(points))
  const velocity = keep(places.mul(0))
  const gains = keep(full([count, 2], 1))
  const rate = Math.max(count / exaggeration / 4, 50)
  for (let iteration = 0; iteration < iterations; iteration++) {
    const early = iteration < exaggerated
    scope(() => {
      const slope = gradient(places, affinity, early ? exaggeration : 1)
      const opposed = slope.mul(velocity).lt(0) // still going downhill
      gains.copy_(where(opposed, gains.add(0.2), gains.mul(0.8)).clamp(0.01, null))
      velocity.mul_(early ? 0.5 : 0.8).add_(slope.mul(gains), -rate)
      places.add_(velocity)
      places.copy_(places.sub(places.mean([0], true)))
    })
    if (iteration % 10 === 0) await setImmediate() // lets signals in
  }
  for (const each of [affinity, velocity, gains]) each.free()
  return places
}

/** 4 · Σ_j (e·p_ij − q_ij) (y_i − y_j) / (1 + ‖y_i − y_j‖²), eq. 5, [count, 2]; e is the exaggeration. */
export function gradient(places: Tensor, affinity: Tensor, exaggerate: number): Tensor {
  return scope(() => {
    const count = places.size(0)
    const ones = full([count, 1], 1)
    const squares = places.square().sum([1], true)
    // 1 + |a|² + |b|² − 2ab in one product
    const left = cat([places.mul(-2), squares, ones], 1)
    const right = cat([places, ones, squares.add(1)], 1)
    const closeness = left.matmul(right.transpose(0, 1))
    reciprocal_(closeness)
    fillDiagonal_(closeness, 0)
    const all = closeness.sum()
    const withOnes = cat([places, ones], 1)
    const attraction = affinity.mul(closeness).matmul(withOnes).mul(exaggerate)
    const repulsion = closeness.mul_(closeness).matmul(withOnes).div(all)
    const force = attraction.sub(repulsion)
    return places
      .mul(force.narrow(1, 2, 1))
      .sub(force.narrow(1, 0, 2))
      .mul(4)
  })
}

/** p_ij = (p_j|i + p_i|j) / 2n, [count, count]; the width of each point's kernel is such that its entropy is ln(perplexity). */
export function affinities(points: Tensor, perplexity: number): Tensor {
  return scope(() => {
    const distances = squaredDistances(points.to({ dtype: 'float32' }))
    const count = points.size(0)
    const self = arange(count).unsqueeze(1).eq(arange(count))
    const far = where(self, full([count, count], Infinity), distances)
    const above = far.sub(lowest(far, [1], true)) // so that some p is never 0
    let [low, high] = [full([count, 1], -60), full([count, 1], 60)] // of log2 of the precision
    let conditional = far
    for (let step = 0; step < 50; step++) {
      const middle = low.add(high).div(2)
      const found = scope(() => {
        const precision = middle.mul(Math.LN2).exp()
        const p = above.mul(precision).neg().softmax(1)
        const entropy = p.mul(p.clamp(1e-30, null).log()).sum([1], true).neg()
        return { p, tooWide: entropy.sub(Math.log(perplexity)).gt(0) }
      })
      const [lower, upper] = [where(found.tooWide, middle, low), where(found.tooWide, high, middle)]
      conditional.free()
      conditional = found.p
      low = lower
      high = upper
    }
    return conditional
      .add(conditional.transpose(0, 1))
      .div(2 * count)
      .clamp(1e-12, null)
  })
}

/** The principal components, the first with a deviation of 1e-4. */
function beginning(points: Tensor): Tensor {
  return scope(() => {
    const components = principalComponents(points)
    const deviation = components.select(1, 0).square().mean().sqrt().clamp(1e-12, null)
    return components.div(deviation).mul(1e-4)
  })
}
