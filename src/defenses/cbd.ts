import { z } from 'zod'
import { steps } from '../nn/schedule.ts'
import { arena } from '../tensor/scope.ts'
import type { Suspicion } from '../training/suspicion.ts'
import type { Recipe } from '../training/training-context.ts'
import { type ConfounderTraining, startConfounder } from './cbd/confounder.ts'
import { detect, rank, separation } from './cbd/detect.ts'
import { trainModel } from './cbd/model.ts'
import { type DefenderView, defineDefense } from './defense.ts'

const options = z.object({
  confounderEpochs: z.int().min(1).default(3).describe('epochs of the confounder, T1 (the paper searches 3, 5, 8)'),
  confounderLoss: z
    .enum(['held-up', 'cross-entropy'])
    .default('held-up')
    .describe("the confounder's loss: cross entropy, or cross entropy held up at a level by local gradient ascent"),
  confounderLevel: z
    .number()
    .positive()
    .max(1)
    .default(0.52)
    .describe("the level, as a share of the loss of guessing, ln C of C classes; the batch's mean loss is held there"),
  judgement: z
    .enum(['looks', 'end', 'views'])
    .default('looks')
    .describe(
      "when the confounder's losses are taken: at looks every half epoch, of which an image's lowest third count; at its end; or of each augmented view",
    ),
  bottleneck: z.number().min(0).default(1e-4).describe('weight of the mean squared length of the embedding, β'),
  adversarial: z.number().min(0).default(0.01).describe('weight of the independence term L_adv, λ'),
  weights: z
    .enum(['mean-one', 'as-is'])
    .default('mean-one')
    .describe('sample weights of Eq. 6 divided by their mean over the batch, or as they are'),
  weightAgainst: z
    .enum(['floored-loss', 'own-loss'])
    .default('floored-loss')
    .describe(
      "what the confounder's loss is weighed against in Eq. 6: the model's loss of the image, or no less than its mean over the batch",
    ),
  weightPower: z
    .number()
    .positive()
    .max(10)
    .default(1.25)
    .describe('the power that both losses are raised to in Eq. 6'),
  critic: z
    .enum(['spectral', 'released'])
    .default('spectral')
    .describe("the critic: the paper's with spectral normalization, or that of the authors' code"),
  criticRate: z.number().positive().default(1e-3).describe("the critic's learning rate"),
  schedule: z.enum(['run', 'steps']).default('run').describe("the model's learning rate: the run's schedule, or steps"),
  batch: z.int().min(2).optional().describe("images per step (default: the run's)"),
  nesterov: z.boolean().optional().describe("Nesterov momentum (default: the run's)"),
  cutout: z.int().min(0).optional().describe("side of the cutout (default: the run's)"),
  normalized: z.boolean().default(true).describe('whether the networks normalize their input'),
})
type Options = z.output<typeof options>

/** The authors' code unless told otherwise: no L_adv, no ‖z‖² term. */
const released = {
  confounderEpochs: 5,
  confounderLoss: 'cross-entropy',
  judgement: 'views',
  weightAgainst: 'own-loss',
  weightPower: 1,
  bottleneck: 0,
  adversarial: 0,
  schedule: 'steps',
  batch: 64,
  nesterov: true,
  cutout: 2,
  normalized: false,
} as const

/**
 * Causality-inspired Backdoor Defense (Zhang et al., "Backdoor Defense via Deconfounded Representation Learning", CVPR
 * 2023). A first network, trained briefly, learns the trigger before anything else. A second one is trained to be right
 * where the first is wrong, and to have an embedding that is independent of the first's. Only the second is used.
 *
 * | paper | here |
 * |---|---|
 * | f_B, r, T1 | confounder, its embedding, confounderEpochs |
 * | f_C, z, T2 | model, its embedding, the run's epochs |
 * | w(x) | deconfoundingWeights |
 * | D | critic |
 * | β | bottleneck |
 * | λ, here | adversarial: Eq. 8 gives L_adv no weight |
 *
 * What the paper leaves open, preset `paper` takes from elsewhere: the loss held up by local gradient ascent from ABL (Li et al.
 * 2021); weights of mean one and λ = 0.01 from the authors' code. Judging whole images at several looks, the least loss in Eq. 6 and
 * its power were chosen by measurement (docs/cbd.md).
 */
export const cbd = defineDefense({
  title: 'CBD',
  paper: 'https://arxiv.org/abs/2303.06818',
  assumes: 'nothing',
  evidence:
    'A network is trained so briefly that it learns little but the trigger. The score of an image is high where that network is right about the label already (its loss is low).',
  stages: {
    confounder: 'training the confounder',
    model: 'training the model',
  },
  options,
  presets: {
    paper: {},
    literal: {
      confounderEpochs: 5,
      confounderLoss: 'cross-entropy',
      judgement: 'views',
      weightAgainst: 'own-loss',
      weightPower: 1,
      adversarial: 1,
      weights: 'as-is',
    },
    released,
    'released-adversarial': { ...released, adversarial: 0.01, critic: 'released', criticRate: 0.2 },
  },
  async train(options, view) {
    const recipe = recipeOf(options, view.recipe)
    const confounder = startConfounder(view, recipe, { ...options, level: levelOf(options, view) })
    await confounder.trainTo(options.confounderEpochs)
    const losses = await confounder.losses()
    const suspicion = suspicionOf({ losses, confounder }, options, view)
    const classifier = await trainModel(view, recipe, {
      ...options,
      judge: await confounder.judge(losses),
      stage: 'model',
    })
    return { classifier, suspicion }
  },
  search: {
    stages: ['confounder'],
    async run(options, view) {
      const confounder = startConfounder(view, recipeOf(options, view.recipe), {
        ...options,
        level: levelOf(options, view),
      })
      await confounder.trainTo(options.confounderEpochs)
      return suspicionOf({ losses: await confounder.losses(), confounder }, options, view)
    },
  },
  tuning: {
    grid: { confounderEpochs: [3, 5, 8], bottleneck: [1e-5, 1e-4, 1e-3] },
    async train(options, view, { settings, wanted, tried }) {
      const recipe = recipeOf(options, view.recipe)
      const confounder = startConfounder(view, recipe, { ...options, level: levelOf(options, view) })
      for (const epochs of [...new Set(settings.map(({ confounderEpochs }) => confounderEpochs as number))]) {
        await confounder.trainTo(epochs) // from where the setting before has left it
        const losses = await confounder.losses()
        const own = settings.filter((setting) => setting.confounderEpochs === epochs && wanted(setting))
        const judge = await confounder.judge(losses)
        for (const setting of own) {
          await arena(async () => {
            const stage = `model-${epochs}-${setting.bottleneck}`
            const classifier = await trainModel(view, recipe, { ...options, ...setting, judge, stage })
            await tried({ setting, classifier, separation: separation(losses) })
          })
        }
      }
    },
  },
})

/** The loss that f_B is held at, a share of that of guessing, ln C. */
const levelOf = ({ confounderLevel }: Options, { classes }: DefenderView) => confounderLevel * Math.log(classes.length)

/** Only an ignorant f_B tells poison from easy images: by the loss of another, images are ranked and not judged. */
function suspicionOf(
  { losses, confounder }: { losses: Float32Array; confounder: ConfounderTraining },
  { confounderLoss, judgement }: Options,
  { images, classes }: DefenderView,
): Suspicion {
  const ignorant = confounderLoss === 'held-up' && judgement === 'looks'
  if (!ignorant) return rank(losses)
  return detect(losses, { labels: images.labels, classes: classes.length, lasting: confounder.lastingLosses() })
}

function recipeOf(options: Options, run: Recipe): Recipe {
  return {
    ...run,
    batch: options.batch ?? run.batch,
    nesterov: options.nesterov ?? run.nesterov,
    augmentation: { ...run.augmentation, cutout: options.cutout ?? run.augmentation.cutout },
    schedule: options.schedule === 'steps' ? steps(run.rate) : run.schedule,
  }
}
