import { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropyEach, heldUp } from '../nn/losses.ts'
import { copyWeights, stateOf } from '../nn/module.ts'
import { scope } from '../tensor/scope.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { noAugmentation } from '../training/augment.ts'
import { flag } from '../training/flag.ts'
import { learnLabels, supervisedStep } from '../training/learn-labels.ts'
import { part } from '../training/loader.ts'
import { optimizerOf } from '../training/optimizer-of.ts'
import { accuracyOn, scoreEach } from '../training/predict.ts'
import { isolate } from '../training/suspicion.ts'
import { type DefenderView, defineDefense } from './defense.ts'

/**
 * Anti-backdoor learning (Li et al. 2021): poisoned images are learned faster. A first training that keeps the loss from
 * falling below γ lets them stand out, and the images of lowest loss are isolated. The network is then trained on the
 * others, and finally made to unlearn the isolated ones by gradient ascent, which ends before the network collapses. Images of
 * the target class that carry the trigger have the lowest losses of all; where there are such, unlearning costs that class.
 *
 * | paper | here |
 * |---|---|
 * | L_LGA with γ, of each image | isolation 'ascent', level |
 * | flooding with b, of a batch | isolation 'flooding', level |
 * | p | isolated |
 *
 * The authors' released code takes the ascent of a batch's mean as well, whose gradient is that of flooding. Here it is the
 * paper's, E[sign(ℓ − γ)·ℓ].
 */
export const abl = defineDefense({
  title: 'Anti-backdoor learning',
  paper: 'https://arxiv.org/abs/2110.11571',
  assumes: 'nothing',
  evidence:
    'A network is trained with its loss held up, so that it learns easy images first. The score of an image is high where the loss is low at the end of that phase: poisoned images are learned early, and so are easy clean ones.',
  stages: {
    isolation: 'isolating suspicious images',
    model: 'training the model',
    unlearning: 'unlearning the isolated images',
  },
  options: z.object({
    isolationEpochs: z.int().min(1).default(20).describe('of the first training, by which images are isolated'),
    isolation: z
      .enum(['ascent', 'flooding'])
      .default('ascent')
      .describe(
        'how the loss is kept up: local gradient ascent of each image, sign(CE − γ)·CE, or flooding of each batch, |CE − b| + b',
      ),
    level: z.number().min(0).default(0.5).describe('the loss it is kept at: γ or b'),
    isolated: z.number().positive().max(0.5).default(0.01).describe('share of the images that is isolated: p'),
    epochs: z.int().min(0).default(60).describe('of training on the others'),
    unlearningEpochs: z.int().min(0).default(5).describe('of gradient ascent on the isolated images'),
    unlearningRate: z.number().positive().default(5e-4).describe('its learning rate'),
    unlearningBatch: z.int().min(2).default(64).describe('images per step of it: there are few, and so few steps'),
    mayLose: z
      .number()
      .min(0)
      .max(1)
      .default(0.25)
      .describe(
        'unlearning ends where the accuracy on the less suspicious half of the images has fallen by this share',
      ),
  }),
  presets: { paper: {}, quick: { isolationEpochs: 5, epochs: 10 } },
  async train(options, view) {
    const { recipe } = view
    const momentum = { momentum: 0.9, weightDecay: 1e-4, nesterov: true }
    const model = view.model('model')
    const isolating = optimizerOf(recipe, model.parameters, { sgd: momentum })
    const first = { ...recipe, augmentation: noAugmentation, epochs: options.isolationEpochs }
    const isolationState = { model: stateOf(model), optimizer: isolating }
    for await (const { images, labels, report } of view.stage('isolation', { ...first, state: isolationState })) {
      scope(() => {
        const { logits } = model.forward(images, 'train')
        const losses = crossEntropyEach(logits, labels)
        isolating.step(keptUp(losses, options), recipe.rate)
        report({ loss: losses.mean(), accuracy: accuracy(logits, labels) })
      })
    }
    const score = await scoreEach(model, view.images, ({ logits }, labels) => crossEntropyEach(logits, labels).neg())
    const { isolated, others, threshold } = isolate(score, options.isolated)

    const optimizer = optimizerOf(recipe, model.parameters, { sgd: momentum })
    const rate = ({ epoch }: { epoch: number }) => (epoch < (2 / 3) * options.epochs ? recipe.rate : recipe.rate / 10) // from 40 of 60
    await learnLabels(view, { name: 'model', model, optimizer, epochs: options.epochs, only: others, rate })
    const { others: likelyClean } = isolate(score, 0.5) // the rest lose accuracy as labelled when unlearning succeeds
    const classifier = await unlearn(model, view, { ...options, only: isolated, likelyClean })
    return { classifier, suspicion: { score, threshold, verdict: 'not-judged' } }
  },
})

/** Local gradient ascent, E[sign(ℓ − γ)·ℓ], or flooding, |E[ℓ] − b| + b, of the cross entropies ℓ of a batch, [batch]. */
export function keptUp(
  losses: Tensor,
  { isolation, level }: { isolation: 'ascent' | 'flooding'; level: number },
): Tensor {
  return isolation === 'ascent' ? heldUp(losses, level).mean() : losses.mean().sub(level).abs().add(level)
}

interface Unlearning {
  readonly only: Int32Array
  readonly likelyClean: Int32Array
  readonly unlearningEpochs: number
  readonly unlearningRate: number
  readonly unlearningBatch: number
  readonly mayLose: number
}

/** Gradient ascent on the isolated images; the network after the last epoch that did not cost too much. */
async function unlearn(
  model: Classifier,
  view: DefenderView,
  { only, likelyClean, unlearningEpochs, unlearningRate, unlearningBatch, mayLose }: Unlearning,
): Promise<Classifier> {
  const watched = part(view.images, likelyClean)
  const enough = (1 - mayLose) * (await accuracyOn(model, watched))
  const good = view.model('good')
  copyWeights(model, good)
  const own = { momentum: 0.9, weightDecay: 1e-4, nesterov: true }
  const optimizer = optimizerOf(view.recipe, model.parameters, { sgd: own, ownRates: true })
  const ended = flag()
  const state = { model: stateOf(model), good: stateOf(good), optimizer, ended }
  // Without augmentation: a view from which the trigger was cropped has the larger gradient, and unlearns what is right.
  const plain = { ...view.recipe, batch: unlearningBatch, augmentation: noAugmentation }
  const stage = view.stage('unlearning', { ...plain, epochs: unlearningEpochs, only, asFrequent: true, state })
  for await (const batch of stage) {
    if (ended.value) continue
    supervisedStep({ model, optimizer }, batch, { rate: unlearningRate, unlearn: true })
    if (!batch.last) continue
    ended.value = (await accuracyOn(model, watched)) < enough
    if (!ended.value) copyWeights(model, good)
  }
  return good
}
