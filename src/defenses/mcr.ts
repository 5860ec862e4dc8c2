import { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import { copyWeights, hasStatistics, type NamedTensors, type Stateful, stateOf } from '../nn/module.ts'
import { type Optimizer, optimizer } from '../nn/optimizer.ts'
import type { Schedule } from '../nn/schedule.ts'
import { keep, scope } from '../tensor/scope.ts'
import { noGrad, type Tensor } from '../tensor/tensor.ts'
import { drawAugmentation } from '../training/augment.ts'
import { learnLabels, supervisedStep } from '../training/learn-labels.ts'
import { inOrder } from '../training/loader.ts'
import { optimizerOf } from '../training/optimizer-of.ts'
import { accuracyOn } from '../training/predict.ts'
import type { Recipe, TrainingContext } from '../training/training-context.ts'
import { type DefenderView, defineDefense } from './defense.ts'

/**
 * Mode connectivity repair (Zhao et al. 2020): between two models trained on the untrusted images lies a curve of models
 * that are all accurate; in its middle the backdoor is weakest. The curve is a quadratic Bézier curve whose middle point is
 * learned on the clean images. Its other end may also be a copy of the first, fine-tuned on the clean images, which costs
 * no second training and stays close to the backdoor. The model taken is the point nearest the
 * middle at which little accuracy on them is lost, which needs no knowledge of an attack; its batch-norm statistics are those of the clean images, augmented.
 *
 * | paper | here |
 * |---|---|
 * | w₁, w₂ | backdoored, second |
 * | θ | middle |
 * | φ_θ(t) | the curve, `weightsAt` |
 */
export const mcr = defineDefense({
  title: 'Mode connectivity repair',
  paper: 'https://arxiv.org/abs/2005.00060',
  assumes: 'clean images',
  repairs: { second: 'tuned' }, // there are no images to train another end on
  stages: {
    backdoored: 'training both ends',
    tuned: 'training both ends',
    model: 'learning the curve',
  },
  options: z.object({
    second: z
      .enum(['backdoored', 'tuned'])
      .default('backdoored')
      .describe('the other end: another model trained on the untrusted images, or the first one fine-tuned'),
    tuningEpochs: z.int().min(1).default(20).describe('of fine-tuning the other end on the clean images'),
    tuningRate: z.number().positive().default(0.01).describe('its learning rate'),
    epochs: z.int().min(1).default(100).describe('of learning the middle of the curve'),
    rate: z.number().positive().default(0.01).describe('its learning rate: constant, then linear to a hundredth'),
    batch: z.int().min(2).default(128).describe('clean images per step'),
    mayLose: z
      .number()
      .min(0)
      .max(1)
      .default(0.05)
      .describe(
        'the point taken is the one nearest the middle whose accuracy on the clean images is at most so much below the best',
      ),
    at: z.number().min(0).max(1).default(0).describe('or the point of the curve that is taken, t; 0: chosen as above'),
  }),
  presets: { paper: {}, quick: { epochs: 40 } },
  async train({ second: end, tuningEpochs, tuningRate, epochs, rate, batch, mayLose, at }, view) {
    const clean = view.clean as TrainingContext
    const backdoored = await view.backdoored()
    const other =
      end === 'backdoored'
        ? await view.backdoored('second')
        : await fineTune(backdoored, view, { epochs: tuningEpochs, rate: tuningRate, batch })

    const [first, second] = [copies(backdoored.parameters), copies(other.parameters)]
    const middle = Object.fromEntries(
      Object.entries(first).map(([name, w]) => [name, keep(scope(() => w.add(second[name] as Tensor).div(2)))]),
    )
    const weightsAt = (t: number, name: string) =>
      bezier(first[name] as Tensor, middle[name] as Tensor, second[name] as Tensor, t)
    const model = view.model('model')
    copyWeights(backdoored, model)
    const moveTo = (t: number) => {
      for (const [name, weight] of Object.entries(model.parameters)) {
        scope(() => noGrad(() => void weight.copy_(weightsAt(t, name))))
      }
    }

    const curve = curveOptimizer(model, middle, view.recipe)
    const state = { model: stateOf(model), middle: { tensors: middle }, optimizer: curve }
    const schedule = falling(rate)
    const learning = { ...view.recipe, epochs, batch, state }
    for await (const each of clean.stage('model', learning)) {
      const t = view.random.fork(`t ${each.step}`).uniform()
      moveTo(t)
      supervisedStep({ model, optimizer: curve.at(t) }, each, { rate: schedule(each.step, each.steps) })
    }

    const chosen = at > 0 ? at : await nearestTheMiddle(model, { clean, moveTo, batch, mayLose })
    moveTo(chosen)
    await measureStatistics(model, clean, batch)
    return { classifier: model }
  },
})

/** φ_θ(t) = (1 − t)²·w₁ + 2t(1 − t)·θ + t²·w₂. */
export function bezier(w1: Tensor, theta: Tensor, w2: Tensor, t: number): Tensor {
  return scope(() =>
    w1
      .mul((1 - t) ** 2)
      .add(theta.mul(2 * t * (1 - t)))
      .add(w2.mul(t ** 2)),
  )
}

const decay = 1e-4

/** Moves the middle of the curve by gradients of the model, which lies on the curve at t. */
function curveOptimizer(
  model: Classifier,
  middle: NamedTensors,
  recipe: Recipe,
): Stateful & { at(t: number): Optimizer } {
  const phi = Object.values(model.parameters)
  // The decay is that of φ(t).
  const ofMiddle = optimizerOf(recipe, middle, { sgd: { momentum: 0.9, weightDecay: 0 }, ownRates: true })
  return {
    ...ofMiddle,
    at: (t) =>
      optimizer(phi, ofMiddle, (gradients, rate) =>
        ofMiddle.update(
          gradients.map((gradient, i) => curveGradient(gradient, phi[i] as Tensor, { t, decay })),
          rate,
        ),
      ),
  }
}

/** ∂L/∂θ = 2t(1 − t)·∂L/∂φ for L = CE + ½·wd·‖φ‖². */
export function curveGradient(gradient: Tensor, phi: Tensor, { t, decay }: { t: number; decay: number }): Tensor {
  return gradient.add(phi.mul(decay)).mul(2 * t * (1 - t))
}

/** A copy of the model, fine-tuned on the clean images. */
async function fineTune(
  model: Classifier,
  view: DefenderView,
  { epochs, rate, batch }: { epochs: number; rate: number; batch: number },
): Promise<Classifier> {
  const tuned = view.model('tuned')
  copyWeights(model, tuned)
  const own = { momentum: 0.9, weightDecay: 1e-4 }
  const optimizer = optimizerOf(view.recipe, tuned.parameters, { sgd: own, ownRates: true })
  await learnLabels(view.clean as TrainingContext, {
    name: 'tuned',
    model: tuned,
    optimizer,
    epochs,
    batch,
    rate: () => rate,
  })
  return tuned
}

/** Of t = 0.05, 0.10, … 0.95 the one nearest ½ whose model's accuracy on the clean images is within `mayLose` of the best. */
async function nearestTheMiddle(
  model: Classifier,
  {
    clean,
    moveTo,
    batch,
    mayLose,
  }: { clean: TrainingContext; moveTo: (t: number) => void; batch: number; mayLose: number },
): Promise<number> {
  const points: { t: number; accurate: number }[] = []
  for (let k = 1; k <= 19; k++) {
    moveTo(k / 20)
    await measureStatistics(model, clean, batch)
    points.push({ t: k / 20, accurate: await accuracyOn(model, clean.images) })
  }
  const enough = Math.max(...points.map(({ accurate }) => accurate)) - mayLose
  const fromMiddle = ({ t }: { t: number }) => Math.abs(t - 0.5)
  const good = points.filter(({ accurate }) => accurate >= enough).sort((a, b) => fromMiddle(a) - fromMiddle(b))
  return (good[0] as { t: number }).t
}

/**
 * Batch-norm statistics of the clean images, augmented as in training: without black margins they would be others, which
 * costs a network twelve points of its accuracy. Five passes, by which the former ones are forgotten. A network without batch
 * norm has none to measure.
 */
async function measureStatistics(
  model: Classifier,
  { images, recipe, random, pause }: TrainingContext,
  batch: number,
): Promise<void> {
  if (!hasStatistics(model)) return
  const [, height, width] = images.shape
  for (let pass = 0; pass < 5; pass++) {
    const draws = drawAugmentation(random.fork(`statistics ${pass}`), recipe.augmentation, images.count, [
      height,
      width,
    ])
    for (const indices of inOrder(images.count, batch)) {
      if (indices.length < 2) continue
      scope(() => noGrad(() => void model.forward(images.images(indices, draws), 'train', 'fp32')))
      await pause()
    }
  }
}

const copies = (weights: NamedTensors): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, keep(noGrad(() => w.detach().clone()))]))

/** Constant to half of the steps, then linear to a hundredth at 90 %. */
function falling(rate: number): Schedule {
  return (step, steps) => {
    const share = step / steps
    return rate * (share <= 0.5 ? 1 : share >= 0.9 ? 0.01 : 1 - ((share - 0.5) / 0.4) * 0.99)
  }
}
