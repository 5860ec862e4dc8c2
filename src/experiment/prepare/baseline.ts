import type { Classifier } from '../../nn/classifier.ts'
import { stateOf } from '../../nn/module.ts'
import { noGrad, type Tensor } from '../../tensor/tensor.ts'
import type { ImageSet } from '../../training/images.ts'
import { trainPlainly } from '../../training/train-plainly.ts'
import type { Config } from '../settings/config.ts'
import { learnOnce } from '../store/cache.ts'
import { codeOf } from './code.ts'
import { openWorkshop, type Surroundings, whatTrainingDependsOn } from './workshop.ts'

export interface PlainSurroundings extends Surroundings {
  readonly say: (line: string) => void
}

/**
 * Gives a fresh model the weights that plain training on these images gives: trained once for all runs that want the
 * same, and kept in the user's cache. Told as stage `name`; `another` names a second one from a stream of its own. The
 * result is how long it took, where that is known.
 */
export async function plainlyTrained(
  model: Classifier,
  { config, images, name, another }: { config: Config; images: ImageSet; name: string; another?: string | undefined },
  around: PlainSurroundings,
): Promise<number | null> {
  const key = [
    'plain training',
    another,
    images.hash,
    config.epochs,
    whatTrainingDependsOn(config, around.compute),
    codeOf(import.meta.url), // which draws the streams
  ]
  const random = another === undefined ? around.random : around.random.fork(another)
  const { learned } = await learnOnce(key, {
    say: around.say,
    async learn(checkpoints) {
      const workshop = openWorkshop(config, images, {
        ...around,
        checkpoints,
        random,
        onProgress: (progress) => around.onProgress({ ...progress, stage: name }),
        onEpoch: (metrics) => around.onEpoch({ ...metrics, stage: name }),
      })
      const { tensors } = stateOf(await trainPlainly(workshop, { name: 'model' }))
      workshop.close()
      return { tensors, report: {} }
    },
  })
  for (const [weight, tensor] of Object.entries(stateOf(model).tensors)) {
    const { device } = tensor
    noGrad(() => void tensor.copy_((learned.tensors[weight] as Tensor).to({ device })))
  }
  return learned.report.seconds ?? null
}
