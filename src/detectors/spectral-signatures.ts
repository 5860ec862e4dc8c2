import { z } from 'zod'
import { scope } from '../tensor/scope.ts'
import { noGrad } from '../tensor/tensor.ts'
import { defineDetector } from './detector.ts'
import { embeddingsByClass, principal } from './embeddings.ts'

/**
 * Spectral signatures (Tran et al. 2018): among the images of one label, those with a trigger move the embeddings along a
 * direction of their own, and that is the direction in which the embeddings vary most. The paper removes, of each class,
 * the 1.5·ε of its images that lie farthest along it. As the distances of two classes say nothing about one another, the
 * score is the share of the class that lies less far, in (0, 1), and the threshold 1 − 1.5·ε removes what the paper does.
 *
 * The direction is that of the whole class: where the poison is about half of it or more, as at a rate of 10 % aimed at
 * one class of ten, both halves lie equally far from the mean, and nothing is to be expected.
 *
 * | paper | here |
 * |---|---|
 * | R(x) | embedding |
 * | M, v | centered, the last of the directions |
 * | τ | signatures |
 * | ε | epsilon |
 */
export const spectralSignatures = defineDetector({
  title: 'Spectral signatures',
  paper: 'https://arxiv.org/abs/1811.00636',
  assumes: 'nothing',
  options: z.object({
    epsilon: z
      .number()
      .positive()
      .max(0.6)
      .default(0.1)
      .describe(
        "share of a class's images that is poisoned at most, ε: 1.5 times as many images are flagged, of every class",
      ),
  }),
  async detect({ epsilon }, view) {
    const score = new Float32Array(view.images.count)
    for (const { members, points } of await embeddingsByClass(view)) {
      const shares = sharesBelow(signatures(points, members.length))
      members.forEach((image, k) => {
        score[image] = shares[k] as number
      })
    }
    return { score, threshold: 1 - 1.5 * epsilon, verdict: 'not-judged' }
  },
})

/** τ = ((R(x) − mean R)·v)² of each of `count` points. */
export function signatures(points: Float64Array, count: number): Float64Array {
  return scope(() =>
    noGrad(() => {
      const { centered, directions } = principal(points, count)
      const v = directions.narrow(1, directions.size(1) - 1, 1)
      return centered.matmul(v).square().flatten().data() as Float64Array
    }),
  )
}

/** For each value the share of all that are smaller, equal ones counting half: its own place stands in the middle. */
export function sharesBelow(values: Float64Array): Float64Array {
  const sorted = values.slice().sort()
  const first = new Map<number, number>()
  const count = new Map<number, number>()
  sorted.forEach((value, place) => {
    if (!first.has(value)) first.set(value, place)
    count.set(value, (count.get(value) ?? 0) + 1)
  })
  return values.map((value) => ((first.get(value) as number) + (count.get(value) as number) / 2) / values.length)
}
