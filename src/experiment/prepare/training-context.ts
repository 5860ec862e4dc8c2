import { setImmediate } from 'node:timers/promises'
import { models } from '../../models/index.ts'
import { formOf, learningOf } from '../../models/model.ts'
import type { Classifier } from '../../nn/classifier.ts'
import { schedules } from '../../nn/schedule.ts'
import { sourceDigest } from '../../tensor/build.ts'
import type { Compute } from '../../tensor/device.ts'
import type { Augmentation } from '../../training/augment.ts'
import type { ImageSet, ImageShape } from '../../training/images.ts'
import { loader } from '../../training/loader.ts'
import { type StageContext, stage, stopped } from '../../training/stage.ts'
import type { TrainingContext } from '../../training/training-context.ts'
import type { Config } from '../settings/config.ts'
import { withoutFiles } from '../settings/file-options.ts'
import { describeEnvironment } from '../store/environment.ts'
import { buildModel, type ModelDescription } from '../store/saved-model.ts'
import { type BeginningReport, beginningOf, describeBeginning } from './beginning.ts'
import { codeOfRoom } from './code.ts'
import { tellOnce } from './data.ts'

/** What a run gives a training; its `random` is forked so that nothing that chose the poison follows from it. */
export interface RunContext extends Pick<StageContext, 'random' | 'checkpoints' | 'reporter'> {
  readonly compute: Compute
}

/** A training context, what it knows of the networks made in it, and how to leave it. */
export interface OpenTrainingContext extends TrainingContext {
  describe(model: Classifier): ModelDescription
  /** what networks begin with; null where they begin fresh */
  readonly beginning: BeginningReport | null
  close(): void
}

/** Makes ready to train on these images by the configured recipe and architecture. */
export function openTrainingContext(config: Config, images: ImageSet, context: RunContext): OpenTrainingContext {
  const { compute, random } = context
  const onDevice = loader(images, compute.device)
  const beginning = beginningOf(config, images, compute)
  const { normalization } = beginning
  tellOnce(describeBeginning(beginning, config.options.model.weights), context.reporter)
  const learning = learningOf(models[config.model])
  const descriptions = new Map<object, ModelDescription>()
  return {
    images: onDevice,
    classes: images.classes,
    compute,
    random: random.fork('draws'),
    recipe: {
      epochs: config.epochs,
      batch: config.batch,
      rate: config['learning-rate'],
      schedule: schedules[config.schedule](config['learning-rate']),
      optimizer: learning.optimizer,
      rateShare: learning.rate,
      momentum: config.momentum,
      weightDecay: config['weight-decay'],
      nesterov: config.nesterov,
      augmentation: augmentationOf(config, images.shape),
    },
    model(name, { normalized = true } = {}) {
      const description: ModelDescription = {
        model: config.model,
        options: formOf(config.options.model),
        classes: images.classes,
        shape: images.shape,
        normalization: normalized ? normalization : null,
        fit: (config.options.dataset.fit as ModelDescription['fit'] | undefined) ?? 'cover',
        ground: config.options.dataset.ground === 'white' ? 'white' : undefined,
      }
      const model = buildModel(description, { random: random.fork(`weights ${name}`), compute })
      beginning.fill(model)
      descriptions.set(model, description)
      return model
    },
    stage: (name, options) =>
      stage(
        {
          ...context,
          loader: onDevice,
          random: random.fork('stages'),
          secondsBetweenCheckpoints: config['checkpoint-every'],
          balanced: config.balance === 'sampling',
        },
        name,
        options,
      ),
    async pause() {
      await setImmediate()
      if (context.reporter.interrupted()) throw stopped()
    },
    beginning: beginning.report,
    describe: (model) => descriptions.get(model) as ModelDescription,
    close: () => onDevice.free(),
  }
}

/** Pixels are meant at 32: larger images move, and are cut, in proportion. */
function augmentationOf({ crop, padding, flip, cutout, color }: Config, [, height]: ImageShape): Augmentation {
  const scaled = (pixels: number) => Math.round((pixels * height) / 32)
  return {
    padding: crop === 'padded' ? scaled(padding) : 0,
    flip,
    cutout: scaled(cutout),
    color,
    ...(crop === 'resized' ? { part: leastPart } : {}),
  }
}

/** the share of an image that a random part has at least */
const leastPart = 0.25

/** What determines the result of a training in a training context, besides the images and the options and code of who trains there. */
export function whatTrainingDependsOn(config: Config, compute: Compute): readonly unknown[] {
  const { libtorch, processor, gpus, kernels, blas, variables } = describeEnvironment(compute)
  const { seed, model, batch, balance, schedule, momentum, nesterov, crop, padding, flip, cutout, color } = config
  return [
    seed,
    model,
    withoutFiles('model', config.options.model),
    batch,
    balance,
    config['learning-rate'],
    schedule,
    momentum,
    config['weight-decay'],
    nesterov,
    crop,
    padding,
    flip,
    cutout,
    color,
    compute,
    libtorch,
    processor,
    gpus,
    kernels,
    blas,
    variables,
    ...['tensor', 'nn', 'training', 'models'].map(codeOfRoom),
    sourceDigest(), // of native/
  ]
}
