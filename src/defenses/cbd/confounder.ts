import type { Classifier } from '../../nn/classifier.ts'
import { accuracy, crossEntropyEach, heldUp } from '../../nn/losses.ts'
import { stateOf } from '../../nn/module.ts'
import { sgd } from '../../nn/sgd.ts'
import { keep, scope } from '../../tensor/scope.ts'
import { noGrad, type Tensor, tensor, zeros } from '../../tensor/tensor.ts'
import { noAugmentation } from '../../training/augment.ts'
import { perSample } from '../../training/per-sample.ts'
import { forEachBatch, scoreEach } from '../../training/predict.ts'
import type { Batch } from '../../training/stage.ts'
import type { Recipe } from '../../training/workshop.ts'
import type { DefenderView } from '../defense.ts'

// The confounder f_B learns the trigger and as little else as possible. What the model needs of f_B is its loss ℓ_B of
// every image (Eq. 6) and its embedding r (Eq. 7).

export interface ConfounderOptions {
  readonly confounderLoss: 'held-up' | 'cross-entropy'
  readonly confounderLevel: number
  readonly judgement: 'looks' | 'end' | 'views'
  readonly normalized: boolean
}

/** What the frozen f_B says of a batch: its losses ℓ_B, [batch], and its embeddings r, [batch, width]. */
export type Judge = (batch: Pick<Batch, 'images' | 'labels' | 'indices'>) => {
  readonly losses: Tensor
  readonly embedding: Tensor
}

/** f_B in training. */
export interface Confounder {
  /** Trains on, at a constant rate, until so many epochs are done. */
  trainTo(epochs: number): Promise<void>
  /** ℓ_B of every training image, as f_B is now. */
  losses(): Promise<Float32Array>
  /** f_B as it is now, frozen, with these losses of the training images. */
  judge(losses: Float32Array): Promise<Judge>
}

export function makeConfounder(view: DefenderView, recipe: Recipe, options: ConfounderOptions): Confounder {
  const { images, classes, compute } = view
  const { judgement, normalized } = options
  const level = options.confounderLevel * Math.log(classes.length) // the loss of guessing is ln C
  const confounder = view.model('confounder', { normalized })
  const optimizer = sgd(confounder.parameters, recipe)
  const logs = perSample(images.count, compute.device) // the sum over looks of log ℓ_B
  const state = { confounder: stateOf(confounder), confounderOptimizer: optimizer, logs }
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
      for await (const batch of view.stage(name, { ...recipe, augmentation, epochs: more, state })) {
        scope(() => {
          const { logits } = confounder.forward(batch.images, 'train')
          const loss = crossEntropyEach(logits, batch.labels).mean()
          optimizer.step(options.confounderLoss === 'held-up' ? heldUp(loss, level) : loss, recipe.rate)
          batch.report({ loss, accuracy: accuracy(logits, batch.labels) })
        })
        if (judgement !== 'looks' || !isLook(batch, { before: trained, epochs: more })) continue
        const losses = await lossesNow()
        const each = Array.from(losses, (loss) => Math.log(Math.max(smallest, loss)))
        logs.add(Int32Array.from(losses.keys()), each, 1)
        if (batch.last) view.trace('confounder loss', trained + batch.epoch, losses)
      }
      trained = epochs
    },

    losses: async () =>
      judgement === 'looks' ? logs.read().map((sum) => Math.exp(sum / looks(trained))) : lossesNow(),

    async judge(losses) {
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

// f_B wanders, so that its loss of an image at one moment says little. A clean image's loss is low now and then, a
// poisoned one's nearly always. So f_B is looked at every half epoch, from the end of the first epoch on, and ℓ_B is the
// geometric mean over the looks.

/** The smallest loss that a look records: a loss of 0 has no logarithm. */
const smallest = 1e-6

/** How many looks there are in so many epochs. */
const looks = (epochs: number) => 2 * epochs - 1

/** Whether a half epoch ends with this batch, and not the first half of the first epoch. */
function isLook({ step, steps }: Batch, { before, epochs }: { before: number; epochs: number }): boolean {
  const perEpoch = steps / epochs
  const halves = (steps: number) => Math.floor((2 * steps) / perEpoch)
  return halves(step + 1) > halves(step) && step + 1 >= (before === 0 ? perEpoch : 0)
}
