import type { Defended, DefenderView } from '../../defenses/defense.ts'
import { defenses } from '../../defenses/index.ts'
import { UserError } from '../../errors.ts'
import type { Classifier } from '../../nn/classifier.ts'
import type { ImageSet } from '../../training/images.ts'
import { type Loader, part } from '../../training/loader.ts'
import { forEachBatch } from '../../training/predict.ts'
import type { Config } from '../settings/config.ts'
import type { Portrait, Portraits } from '../store/portraits.ts'
import type { ModelDescription } from '../store/saved-model.ts'
import { plainlyTrained } from './baseline.ts'
import type { BeginningReport } from './beginning.ts'
import { openTrainingContext, type RunContext } from './training-context.ts'

/** What a run gives a defense. */
export interface DefenseContext extends RunContext {
  /** told of numbers that a defense gives the images, [images] */
  readonly trace?: (name: string, epoch: number, values: Float32Array) => void
  /** a sample of the images, and told of their embeddings by a network, [sample, width] */
  readonly portraits?: Portraits
  /** images that can be trusted, for a defense that declares that it needs some */
  readonly clean?: ImageSet | null
  /** told of the model that the defense is about to repair, and how long it took to train where that is known */
  readonly onBackdoored?: (model: Classifier, seconds: number | null) => Promise<void>
}

/**
 * Trains on untrusted images by the configured defense, which sees them and nothing else. `seconds` is its own time, without
 * that of the model it repairs.
 */
export async function defend(
  config: Config,
  images: ImageSet,
  context: DefenseContext,
): Promise<Defended & { description: ModelDescription; beginning: BeginningReport | null; seconds: number }> {
  const began = performance.now()
  const { view, describe, beginning, secondsAside, close } = openView(config, images, context)
  const train = defenses[config.defense].train as (options: unknown, view: DefenderView) => Promise<Defended>
  const defended = await train(config.options.defense, view)
  const seconds = (performance.now() - began) / 1000 - secondsAside()
  await view.portray('model', 'end', defended.classifier)
  close()
  return { ...defended, description: describe(defended.classifier), beginning, seconds }
}

async function embeddingsOf(model: Classifier, images: Loader): Promise<Portrait> {
  const width = model.embeddingWidth
  const values = new Float32Array(images.count * width)
  await forEachBatch(model, images, ({ embedding }, { first }) => {
    values.set(embedding.data() as Float32Array, first * width)
  })
  return { width, values }
}

/** What a defense sees of untrusted images, what is known of the networks made there, and how to leave it. */
export interface OpenView {
  readonly view: DefenderView
  describe(model: Classifier): ModelDescription
  readonly beginning: BeginningReport | null
  /** spent on training the model that a defense repairs */
  secondsAside(): number
  close(): void
}

/** A UserError where the defense needs images that can be trusted and there are none. */
export function refuseWithoutClean({ defense }: Config, clean: ImageSet | null | undefined): void {
  if (defenses[defense].assumes !== 'clean images' || clean?.labels.length) return
  throw new UserError(
    'usage',
    `Cannot train by '${defense}' without images that can be trusted: give --clean a folder of some, or in an experiment --clean-share`,
  )
}

/** Makes ready for a defense to train on untrusted images. */
export function openView(config: Config, images: ImageSet, context: DefenseContext): OpenView {
  let aside = 0
  const { describe, beginning, close, ...training } = openTrainingContext(config, images, context)
  const entry = defenses[config.defense]
  refuseWithoutClean(config, context.clean)
  const trusted =
    context.clean && entry.assumes === 'clean images'
      ? openTrainingContext(config, context.clean, { ...context, random: context.random.fork('clean') })
      : null
  const view: DefenderView = {
    ...training,
    clean: trusted,
    trace: context.trace ?? (() => {}),
    async portray(name, moment, model) {
      const { portraits } = context
      if (!portraits) return
      const embeddings = await embeddingsOf(model, part(training.images, portraits.sample))
      portraits.keep(name, moment, embeddings)
    },
    say: context.reporter.say,
    async backdoored(another) {
      const asked = performance.now()
      const model = training.model('model')
      const seconds = await plainlyTrained(
        model,
        { config, images, name: another === undefined ? 'backdoored' : `backdoored-${another}`, another },
        context,
      )
      if (!another) await context.onBackdoored?.(model, seconds)
      aside += performance.now() - asked
      return model
    },
  }
  return {
    view,
    describe,
    beginning,
    secondsAside: () => aside / 1000,
    close() {
      trusted?.close()
      close()
    },
  }
}
