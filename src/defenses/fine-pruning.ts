import { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import { copyWeights } from '../nn/module.ts'
import { cosine } from '../nn/schedule.ts'
import { keep, scope } from '../tensor/scope.ts'
import { noGrad, type Tensor, tensor } from '../tensor/tensor.ts'
import { argsort } from '../training/argsort.ts'
import { learnLabels } from '../training/learn-labels.ts'
import type { Loader } from '../training/loader.ts'
import { optimizerOf } from '../training/optimizer-of.ts'
import { accuracyOn, forEachBatch } from '../training/predict.ts'
import type { TrainingContext } from '../training/training-context.ts'
import { defineDefense } from './defense.ts'

/**
 * Fine-pruning (Liu et al. 2018): channels that clean images hardly use may serve the backdoor. The channels that enter
 * the last linear layer are ranked by the mean size of their activation on the clean images and pruned, least active first, until the
 * accuracy on these images has fallen by a tenth; then the network is fine-tuned on them. A pruned channel stays pruned:
 * its weights in the last layer are zero and are kept so.
 */
export const finePruning = defineDefense({
  title: 'Fine-pruning',
  paper: 'https://arxiv.org/abs/1805.12185',
  assumes: 'clean images',
  repairs: {},
  stages: {
    backdoored: 'training without defense',
    model: 'fine-tuning the pruned model',
  },
  options: z.object({
    share: z
      .number()
      .positive()
      .max(1)
      .default(0.01)
      .describe('of the channels that are pruned at a time, at least one'),
    mayLose: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe('share of the accuracy on clean images that pruning may cost'),
    epochs: z.int().min(0).default(100).describe('of fine-tuning on the clean images'),
    rate: z.number().positive().default(0.01).describe('learning rate of fine-tuning, falling as a cosine'),
    batch: z.int().min(2).default(256).describe('clean images per step'),
  }),
  presets: { paper: {}, quick: { epochs: 40 } },
  async train({ share, mayLose, epochs, rate, batch }, view) {
    const clean = view.clean as TrainingContext
    const model = await view.backdoored()
    const kept = await prune(model, clean, { share, mayLose, spare: view.model('spare') })

    const own = { momentum: 0.9, weightDecay: 5e-4 }
    const optimizer = optimizerOf(view.recipe, model.parameters, { sgd: own, ownRates: true })
    const schedule = cosine(rate)
    await learnLabels(clean, {
      name: 'model',
      model,
      optimizer,
      epochs,
      batch,
      rate: ({ step, steps }) => schedule(step, steps),
      afterStep: () => noGrad(() => void model.head.mul_(kept)), // what was pruned stays so
    })
    return { classifier: model }
  },
})

/**
 * Prunes in place, and says what is left: float32 [1, width], 1 for each channel that is kept. `spare` is a network of the
 * same form, in which the last good one is held.
 */
export async function prune(
  model: Classifier,
  { images, pause }: Pick<TrainingContext, 'images' | 'pause'>,
  { share, mayLose, spare }: { share: number; mayLose: number; spare: Classifier },
): Promise<Tensor> {
  const order = argsort(await meanActivations(model, images))
  const atOnce = Math.max(1, Math.round(share * order.length))
  const enough = (1 - mayLose) * (await accuracyOn(model, images))
  let pruned = 0
  for (let next = atOnce; next < order.length; next += atOnce) {
    copyWeights(model, spare)
    noGrad(() => scope(() => void model.head.mul_(maskOf(order, next, model.head.device))))
    await pause()
    if ((await accuracyOn(model, images)) < enough) {
      copyWeights(spare, model)
      break
    }
    pruned = next
  }
  return keep(scope(() => maskOf(order, pruned, model.head.device)))
}

/** 0 for the first `pruned` channels of an order, 1 for the others; [1, width]. */
function maskOf(order: Int32Array, pruned: number, device: string): Tensor {
  const mask = new Float32Array(order.length).fill(1)
  for (const channel of order.subarray(0, pruned)) mask[channel] = 0
  return tensor(mask, [1, order.length]).to({ device })
}

/** Mean size of each channel of the embedding over all images, [width]; behind ReLU, its mean. */
async function meanActivations(model: Classifier, images: Loader): Promise<number[]> {
  const sums = new Array<number>(model.embeddingWidth).fill(0)
  await forEachBatch(model, images, ({ embedding }) => {
    for (const [channel, sum] of embedding.abs().sum([0]).numbers().entries())
      sums[channel] = (sums[channel] as number) + sum / images.count
  })
  return sums
}
