import { UserError } from '../../errors.ts'
import { type ImageSet, imageSet } from '../../training/images.ts'
import type { Config } from '../settings/config.ts'
import { loadDataset } from './data.ts'
import { detectDataset } from './detect-dataset.ts'
import type { Listener } from './listener.ts'

/**
 * The images that a person trusts, in `config.clean`, for a defense that needs some: read as the others are, labelled by
 * the names of their classes.
 */
export async function loadTrusted(config: Config, untrusted: ImageSet, listener: Listener): Promise<ImageSet | null> {
  if (config.clean === undefined) return null
  const given = { ...config, dataset: detectDataset(config.clean), data: config.clean }
  const { train, problems } = await loadDataset(given, listener)
  for (const { file, reason } of problems) listener.say(`skipped ${file} of the trusted images: ${reason}`)
  const unknown = train.classes.find((name) => !untrusted.classes.includes(name))
  if (unknown !== undefined) {
    const known = untrusted.classes.slice(0, 20).join(', ')
    throw new UserError(
      'data',
      `Cannot use the trusted images in '${config.clean}': there is no class '${unknown}' among the others' (${known})`,
    )
  }
  if (train.shape.join() !== untrusted.shape.join()) {
    throw new UserError(
      'data',
      `Cannot use the trusted images in '${config.clean}': they are ${train.shape.join('×')}, the others ${untrusted.shape.join('×')}`,
    )
  }
  const place = train.classes.map((name) => untrusted.classes.indexOf(name))
  const labels = train.labels.map((y) => place[y] as number)
  return imageSet({ ...train, labels, classes: untrusted.classes })
}
