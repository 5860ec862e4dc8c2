import { decodeShape } from '../../datasets/encoded.ts'
import { UserError } from '../../errors.ts'
import { type ImageSet, imageSet } from '../../training/images.ts'
import { type Config, resolveConfig } from '../settings/config.ts'
import { datasetAt, loadDataset } from './data.ts'
import type { Listener } from './listener.ts'

/**
 * The images that a person trusts, in `config.clean`, for a defense that needs some: read as the others are, or by the
 * defaults of their own data set where that is another one, and labelled by the names of their classes.
 */
export async function loadTrusted(config: Config, untrusted: ImageSet, listener: Listener): Promise<ImageSet | null> {
  if (config.clean === undefined) return null
  const say = (line: string) => listener.say(`trusted images: ${line}`)
  const { train } = await loadDataset(trustedConfig(config, config.clean), { ...listener, say })
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

/**
 * All of the images. Options belong to their data set: those of another one mean nothing here, but for those of decoding,
 * by which the images must be as large as the others.
 */
function trustedConfig(given: Config, data: string): Config {
  const config = { ...given, 'test-share': 0 }
  const dataset = datasetAt(data)
  if (dataset === config.dataset) return { ...config, data }
  const { options } = resolveConfig({ dataset })
  const shared = Object.entries(config.options.dataset).filter(
    ([name]) => name in decodeShape({ size: 32 }) && name in options.dataset,
  )
  const own = { ...options.dataset, ...Object.fromEntries(shared) }
  return { ...config, dataset, data, options: { ...config.options, dataset: own } }
}
