import type { Defended, DefenderView } from '../defenses/defense.ts'
import { defenses } from '../defenses/index.ts'
import type { ImageSet } from '../training/images.ts'
import type { Config } from './config.ts'
import type { ModelDescription } from './saved-model.ts'
import { openWorkshop, type Surroundings } from './workshop.ts'

/** Trains on untrusted images by the configured defense, which sees them and nothing else. */
export async function defend(
  config: Config,
  images: ImageSet,
  around: Surroundings & { readonly onTrace: (name: string, epoch: number, values: Float32Array) => void },
): Promise<Defended & { description: ModelDescription }> {
  const { describe, close, ...workshop } = openWorkshop(config, images, around)
  const view: DefenderView = { ...workshop, trace: around.onTrace }
  const train = defenses[config.defense].train as (options: unknown, view: DefenderView) => Promise<Defended>
  const defended = await train(config.options.defense, view)
  close()
  return { ...defended, description: describe(defended.classifier) }
}
