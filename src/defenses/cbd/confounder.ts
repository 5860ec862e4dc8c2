import type { Classifier } from '../../nn/classifier.ts'
import { accuracy, crossEntropyEach, heldUp } from '../../nn/losses.ts'
import { stateOf } from '../../nn/module.ts'
import { keep, scope } from '../../tensor/scope.ts'
import { noGrad, type Tensor, tensor, zeros } from '../../tensor/tensor.ts'
import { noAugmentation } from '../../training/augment.ts'
import { optimizerOf } from '../../training/optimizer-of.ts'
import { type PerSample, perSample } from '../../training/per-sample.ts'
import { forEachBatch, scoreEach } from '../../training/predict.ts'
import type { Batch } from '../../training/stage.ts'
import type { Recipe } from '../../training/training-context.ts'
import type { DefenderView } from '../defense.ts'

// The confounder f_B learns the trigger and as little else as possible. What the model needs of f_B is its loss ℓ_B of
// every image (Eq. 6) and its embedding r (Eq. 7).

export interface ConfounderOptions {
  readonly confounderLoss: 'held-up' | 'cross-entropy'
  /** the batch's mean loss is held there */
  readonly level: number
  readonly judgement: 'looks' | 'end' | 'views'
  readonly normalized: boolean
}

/** What the frozen f_B says of a batch: its losses ℓ_B, [batch], and its embeddings r, [batch, width]. */
export type Judge = (batch: Pick<Batch, 'images' | 'labels' | 'indices'>) => {
  readonly losses: Tensor
  readonly embedding: Tensor
}

/** f_B in training. */
export interface ConfounderTraining {
  /** Trains on, at a constant rate, until so many epochs are done. */
  trainTo(epochs: number): Promise<void>
  /** ℓ_B of every training image, as f_B is now. */
  losses(): Promise<Float32Array>
  /** The geometric mean over all looks, which is low where f_B knew an image all the time. */
  lastingLosses(): Float32Array
  /** f_B as it is now, frozen, with these losses of the training images. */
  judge(losses: Float32Array): Promise<Judge>
}

export function startConfounder(view: DefenderView, recipe: Recipe, options: ConfounderOptions): ConfounderTraining {
  const { images, compute } = view
  const { judgement, normalized, level } = options
  const confounder = view.model('confounder', { normalized })
  const optimizer = optimizerOf(recipe, confounder.parameters)
  const seen: PerSample[] = [] // f_B's losses at each look
  const augmentation = judgement === 'views' ? recipe.augmentation : noAugmentation
  let trained = 0

  const lossesNow = () =>
    scoreEach(confounder, images, ({ logits }, labels) => crossEntropyEach(logits, labels), {
      precision: compute.precision,
    })

  return {
    async trainTo(epochs) {
      const name = trained === 0 ? 'confounder' : `confounder-from-${trained}`
      const more = epochs - trained
      if (trained === 0) await view.portray('confounder', 'beginning', confounder)
      while (judgement === 'looks' && seen.length < looks(epochs)) seen.push(perSample(images.count, compute.device))
      const state = { confounder: stateOf(confounder), confounderOptimizer: optimizer, ...named('look', seen) }
      for await (const batch of view.stage(name, { ...recipe, augmentation, epochs: more, state })) {
        scope(() => {
          const { logits } = confounder.forward(batch.images, 'train')
          const loss = crossEntropyEach(logits, batch.labels).mean()
          optimizer.step(options.confounderLoss === 'held-up' ? heldUp(loss, level) : loss, recipe.rate)
          batch.report({ loss, accuracy: accuracy(logits, batch.labels) })
        })
        const due = judgement === 'looks' ? looksAfter(batch, { trained, epochs: more }) : []
        if (due.length === 0) continue
        const losses = await lossesNow()
        for (const look of due)
          scope(() => seen[look]?.set(Int32Array.from(losses.keys()), tensor(losses, [losses.length])))
        if (batch.last) view.trace('confounder loss', trained + batch.epoch, losses)
      }
      trained = epochs
    },

    losses: async () =>
      judgement === 'looks'
        ? meanOfLowest(
            seen.map((look) => look.read()),
            1 / 3,
          )
        : lossesNow(),
    lastingLosses: () =>
      meanOfLowest(
        seen.map((look) => look.read()),
        1,
      ),

    async judge(losses) {
      await view.portray('confounder', 'end', confounder)
      if (judgement === 'views') {
        return ({ images, labels }) => {
          const { logits, embedding } = noGrad(() => confounder.forward(images, 'eval'))
          return { losses: crossEntropyEach(logits, labels), embedding }
        }
      }
      const lossOf = keep(tensor(losses, [losses.length]).to({ device: compute.device }))
      const embeddingOf = await embeddingsOf(confounder, view)
      return ({ indices }) => {
        const at = tensor(indices, [indices.length], 'int64').to({ device: compute.device })
        return { losses: lossOf.indexSelect(0, at), embedding: embeddingOf.indexSelect(0, at) }
      }
    },
  }
}

/** r of every training image, un-augmented, [count, width]. */
async function embeddingsOf(confounder: Classifier, { images, compute }: DefenderView): Promise<Tensor> {
  const all = keep(zeros([images.count, confounder.embeddingWidth], { device: compute.device }))
  const store = (first: number, embedding: Tensor) => all.narrow(0, first, embedding.size(0)).copy_(embedding)
  await forEachBatch(confounder, images, ({ embedding }, { first }) => store(first, embedding), {
    precision: compute.precision,
  })
  return all
}

// f_B wanders, so that its loss of an image at one moment says little: it forgets the trigger for half an epoch and knows it
// again. So f_B is looked at every half epoch, from the end of the first epoch on, and ℓ_B is the geometric mean of an
// image's lowest third of the looks. A poisoned image is known at most looks, a clean one at few.

/** The smallest loss that counts: a loss of 0 has no logarithm. */
const smallest = 1e-6

/** How many looks there are in so many epochs. */
const looks = (epochs: number) => 2 * epochs - 1

/**
 * The numbers of the looks that are due after this batch, counted from 0 over all of f_B's training: one where a half
 * epoch ends, two where an epoch has one batch.
 */
export function looksAfter(
  { step, steps }: Pick<Batch, 'step' | 'steps'>,
  { trained, epochs }: { trained: number; epochs: number },
): number[] {
  const halves = (done: number) => 2 * trained + Math.floor((2 * done * epochs) / steps)
  const [before, after] = [halves(step), halves(step + 1)]
  return Array.from({ length: after - before }, (_, i) => before + i - 1).filter((look) => look >= 0)
}

/** Of each image the geometric mean of such a share of its losses, the lowest, rounded up; [looks][images] to [images]. */
export function meanOfLowest(seen: readonly Float32Array[], share: number): Float32Array {
  const count = Math.ceil(seen.length * share)
  return Float32Array.from(seen[0] as Float32Array, (_, image) => {
    const own = seen.map((losses) => Math.max(smallest, losses[image] as number)).sort((a, b) => a - b)
    const logs = own.slice(0, count).map(Math.log)
    return Math.exp(logs.reduce((sum, log) => sum + log, 0) / count)
  })
}

const named = (name: string, each: readonly PerSample[]) =>
  Object.fromEntries(each.map((one, i) => [`${name}-${i + 1}`, one]))
