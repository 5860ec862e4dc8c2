import { z } from 'zod'
import { scope } from '../tensor/scope.ts'
import { noGrad } from '../tensor/tensor.ts'
import { defineDetector } from './detector.ts'
import { embeddingsByClass, principal } from './embeddings.ts'
import { silhouette, squaredDistance, type TwoMeans, twoMeans } from './two-means.ts'

/**
 * Activation clustering (Chen et al. 2018): a poisoned class holds images that the model takes for it for two reasons,
 * and their embeddings fall into two clusters. Of each class the embeddings are reduced to a few components and divided
 * by 2-means; the smaller cluster is taken for poison where it is small enough and the division is distinct.
 *
 * The paper's components are independent ones (ICA). These are the whitened principal components, rotated, and 2-means
 * does not see a rotation: ours are the whitened principal components, and the clusters are the paper's.
 *
 * The score is how much nearer an image lies to the center of its class's smaller cluster than to that of the larger,
 * (d_larger − d_smaller) / (d_larger + d_smaller), in [−1, 1], and 2 less in a class that is not suspicious. So the
 * threshold 0 names the smaller clusters of the suspicious classes. A class of which more than half is poison has its
 * clean images in the smaller cluster; the paper's third test, which would retrain without a cluster, is not made.
 */
export const activationClustering = defineDetector({
  title: 'Activation clustering',
  paper: 'https://arxiv.org/abs/1811.03728',
  assumes: 'nothing',
  options: z.object({
    components: z.int().min(1).default(10).describe('that the embeddings are reduced to'),
    starts: z.int().min(1).default(10).describe('of 2-means, of which the best is taken'),
    size: z
      .number()
      .positive()
      .max(0.5)
      .default(0.35)
      .describe('a class is suspicious whose smaller cluster is at most this share of it'),
    silhouette: z
      .number()
      .min(-1)
      .max(1)
      .default(0.1)
      .describe('and whose clusters have at least this mean silhouette: how distinct they are'),
  }),
  async detect({ components, starts, size, silhouette: distinct }, view) {
    const score = new Float32Array(view.images.count).fill(-2)
    for (const { label, members, points } of await embeddingsByClass(view)) {
      const { points: reduced, width } = whiten(points, members.length, components)
      if (width === 0) continue // all embeddings are one
      const split = twoMeans(reduced, width, { random: view.random.fork(`class ${label}`), starts })
      const { margins, share } = smallerCluster(reduced, split)
      const suspicious = share <= size && silhouette(reduced, width, split.cluster) >= distinct
      members.forEach((image, k) => {
        score[image] = (margins[k] as number) - (suspicious ? 0 : 2)
      })
    }
    return { score, threshold: 0, verdict: 'not-judged' }
  },
})

/** The first principal components of `count` points, each with variance 1; those in which they do not differ are left out. */
export function whiten(
  points: Float64Array,
  count: number,
  components: number,
): { points: Float64Array; width: number } {
  return scope(() =>
    noGrad(() => {
      const { centered, variances, directions } = principal(points, count)
      const sizes = variances.numbers()
      const least = 1e-9 * Math.max(...sizes)
      const width = Math.min(components, sizes.filter((size) => size > least && size > 1e-20).length)
      if (width === 0) return { points: new Float64Array(), width }
      const from = sizes.length - width
      const projected = centered.matmul(directions.narrow(1, from, width))
      const whitened = projected.div(variances.narrow(0, from, width).sqrt())
      return { points: whitened.data() as Float64Array, width }
    }),
  )
}

/** How much nearer each point is to the smaller cluster's center than to the larger's, in [−1, 1]; and its share of all. */
function smallerCluster(
  points: Float64Array,
  { cluster, centers }: TwoMeans,
): { margins: Float64Array; share: number } {
  const ones = cluster.filter((own) => own === 1).length
  const [smaller, larger] = 2 * ones <= cluster.length ? [centers[1], centers[0]] : centers
  const width = smaller.length
  const margins = Float64Array.from(cluster, (_, i) => {
    const near = Math.sqrt(squaredDistance(points, i * width, smaller))
    const far = Math.sqrt(squaredDistance(points, i * width, larger))
    return (far - near) / Math.max(far + near, Number.MIN_VALUE)
  })
  return { margins, share: Math.min(ones, cluster.length - ones) / cluster.length }
}
