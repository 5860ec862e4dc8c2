import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { scope } from '../tensor/scope.ts'
import { noGrad, operator, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Loader } from '../training/loader.ts'
import { otsuThreshold } from '../training/otsu.ts'
import { type DetectorView, defineDetector } from './detector.ts'

const inverseErrorFunction = operator('erfinv')

/**
 * STRIP (Gao et al. 2019): another image laid over an image makes the model unsure, unless there is a trigger, which
 * decides alone. The entropy of the predictions, averaged over many superpositions, is low for poisoned images: the
 * score is its negative.
 *
 * The images laid over are trusted ones where there are some, as in the paper, else any of the training images. The
 * threshold is the paper's where there are trusted images: their entropies are taken for normally distributed, and a
 * given share of them may be flagged. Without them it is Otsu's, which divides any scores.
 *
 * | paper | here |
 * |---|---|
 * | N | superpositions |
 * | H | minus the score |
 * | FRR | falsePositiveRate |
 */
export const strip = defineDetector({
  title: 'STRIP',
  paper: 'https://arxiv.org/abs/1902.06531',
  assumes: 'clean images, if there are some',
  options: z.object({
    superpositions: z.int().min(1).default(100).describe('with how many other images each is seen, N'),
    superposition: z
      .enum(['sum', 'mean'])
      .default('sum')
      .describe("the sum of two images, clipped, as in the authors' code, or half of each"),
    falsePositiveRate: z
      .number()
      .positive()
      .max(0.5)
      .default(0.01)
      .describe('share of trusted images that may lie above the threshold'),
  }),
  async detect(options, { images, clean, random, onProgress, ...view }) {
    const total = options.superpositions * (images.count + (clean?.count ?? 0))
    let done = 0
    const onPasses = (count: number) => {
      done += count
      onProgress(done, total)
    }
    const seen = (which: Loader, stream: string) =>
      meanEntropies(which, clean ?? images, { ...options, ...view, random: random.fork(stream), onPasses })
    const score = (await seen(images, 'images')).map((entropy) => -entropy)
    if (!clean) return { score, threshold: otsuThreshold(score), verdict: 'not-judged' }
    const trusted = (await seen(clean, 'clean')).map((entropy) => -entropy)
    return { score, threshold: normalQuantile(trusted, 1 - options.falsePositiveRate), verdict: 'not-judged' }
  },
})

type Superposing = Pick<DetectorView, 'model' | 'batch' | 'random'> & {
  readonly superpositions: number
  readonly superposition: 'sum' | 'mean'
  readonly onPasses: (count: number) => void
}

/** Of each image, the mean entropy in bits of the predictions under random others laid over it. */
async function meanEntropies(
  images: Loader,
  others: Loader,
  { model, batch, random, superpositions, superposition, onPasses }: Superposing,
): Promise<Float32Array> {
  const sums = new Float64Array(images.count)
  const pairs = images.count * superpositions
  for (let at = 0; at < pairs; at += batch) {
    const below = Int32Array.from({ length: Math.min(batch, pairs - at) }, (_, k) =>
      Math.floor((at + k) / superpositions),
    )
    const above = below.map(() => random.integer(others.count))
    const entropies = scope(() =>
      noGrad(() => {
        const sum = images.images(below).add(others.images(above))
        const { logits } = model.forward(superposition === 'sum' ? sum.clamp(0, 1) : sum.div(2), 'eval', 'fp32')
        return entropy(logits).data() as Float32Array
      }),
    )
    below.forEach((image, k) => {
      sums[image] = (sums[image] as number) + (entropies[k] as number)
    })
    onPasses(below.length)
    await setImmediate()
  }
  return Float32Array.from(sums, (sum) => sum / superpositions)
}

/** −Σ p·log₂ p of logits [batch, classes]. */
export function entropy(logits: Tensor): Tensor {
  const logs = logits.logSoftmax(1)
  return logs.exp().mul(logs).sum([1]).div(-Math.LN2)
}

/** Below which a share of a normal distribution lies that has the values' mean and deviation. */
export function normalQuantile(values: Float32Array, share: number): number {
  const mean = values.reduce((sum, each) => sum + each, 0) / values.length
  const variance = values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / values.length
  const inverse = scope(() => inverseErrorFunction(tensor([2 * share - 1], [1], 'float64')).item())
  return mean + Math.SQRT2 * inverse * Math.sqrt(variance)
}
