import type { Classifier } from '../../nn/classifier.ts'
import { stateOf } from '../../nn/module.ts'
import { noGrad, type Tensor } from '../../tensor/tensor.ts'
import type { ImageSet } from '../../training/images.ts'
import { trainPlainly } from '../../training/learn-labels.ts'
import type { Config } from '../settings/config.ts'
import { learnOnce } from '../store/cache.ts'
import { codeOf } from './code.ts'
import { openTrainingContext, type RunContext, whatTrainingDependsOn } from './training-context.ts'

/**
 * Gives a fresh model the weights that plain training on these images gives: trained once for all runs that want the
 * same, and kept in the user's cache. Told as stage `name`; `another` names a second one from a stream of its own. The
 * result is how long it took, where that is known.
 */
export async function plainlyTrained(
  model: Classifier,
  { config, images, name, another }: { config: Config; images: ImageSet; name: string; another?: string | undefined },
  context: RunContext,
): Promise<number | null> {
  const { reporter } = context
  const key = [
    'plain training',
    another,
    images.hash,
    config.epochs,
    whatTrainingDependsOn(config, context.compute),
    codeOf(import.meta.url), // which draws the streams
  ]
  const random = another === undefined ? context.random : context.random.fork(another)
  const { learned } = await learnOnce(key, {
    say: reporter.say,
    async learn(checkpoints) {
      const training = openTrainingContext(config, images, {
        ...context,
        checkpoints,
        random,
        reporter: {
          ...reporter,
          progress: (progress) => reporter.progress({ ...progress, stage: name }),
          epoch: (metrics) => reporter.epoch({ ...metrics, stage: name }),
        },
      })
      const { tensors } = stateOf(await trainPlainly(training, { name: 'model' }))
      training.close()
      return { tensors, report: {} }
    },
  })
  for (const [weight, tensor] of Object.entries(stateOf(model).tensors)) {
    const { device } = tensor
    noGrad(() => void tensor.copy_((learned.tensors[weight] as Tensor).to({ device })))
  }
  return learned.report.seconds ?? null
}
