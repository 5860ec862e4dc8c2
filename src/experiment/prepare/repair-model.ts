import type { Defended, DefenderView } from '../../defenses/defense.ts'
import { defenses } from '../../defenses/index.ts'
import { UserError } from '../../errors.ts'
import type { ImageSet } from '../../training/images.ts'
import type { Loader } from '../../training/loader.ts'
import type { Config } from '../settings/config.ts'
import { buildModel, loadModel, type ModelDescription } from '../store/saved-model.ts'
import { openTrainingContext, type RunContext } from './training-context.ts'

/**
 * Repairs a model by the configured defense, which sees the model, clean images and nothing else: of the images that the model
 * was trained on there are none.
 */
export async function repairModel(
  config: Config,
  { file, clean: given }: { file: string; clean: ImageSet },
  context: RunContext,
): Promise<Defended & { description: ModelDescription }> {
  const { compute, random, reporter } = context
  const { model: first, description } = loadModel(file, compute)
  const inside = { ...context, random: random.fork('clean') }
  const { describe: _, beginning: __, close, ...clean } = openTrainingContext(config, given, inside)
  const view: DefenderView = {
    ...clean,
    images: none(given),
    random: random.fork('draws'),
    clean,
    trace() {},
    async portray() {},
    say: reporter.say,
    model: (name) => buildModel(description, { random: random.fork(`weights ${name}`), compute }),
    async backdoored(another) {
      if (another === undefined) return first
      throw new UserError('usage', `Cannot repair by '${config.defense}': ${needsMore}; choose other options`)
    },
  }
  const train = defenses[config.defense].train as (options: unknown, view: DefenderView) => Promise<Defended>
  const repaired = await train(config.options.defense, view)
  close()
  return { ...repaired, description }
}

const needsMore = 'it asks for another model, trained on the images that this one was trained on, which are not here'

/** No images, of the form of others. */
function none({ shape }: ImageSet): Loader {
  const absent = () => {
    throw new Error('A repair has no images but the clean ones: this defense must not declare that it repairs')
  }
  return { count: 0, shape, labels: new Int32Array(), images: absent, labelsOf: absent, ahead: absent, free() {} }
}
