import { decodeShape } from '../../datasets/encoded.ts'
import type { ImageSet } from '../../training/images.ts'
import { type Config, resolveConfig } from '../settings/config.ts'
import { datasetAt, loadDataset } from './data.ts'
import { inClassesOf } from './known-classes.ts'
import type { Listener } from './listener.ts'

/**
 * The images that a person trusts, in `config.clean`, for a defense that needs some: read as the others are, or by the
 * defaults of their own data set where that is another one, and labelled by the names of their classes.
 */
export async function loadTrusted(config: Config, untrusted: ImageSet, listener: Listener): Promise<ImageSet | null> {
  if (config.clean === undefined) return null
  const say = (line: string) => listener.say(`trusted images: ${line}`)
  const { train } = await loadDataset(trustedConfig(config, config.clean), { ...listener, say })
  return inClassesOf(untrusted, train, {
    action: `Cannot use the trusted images in '${config.clean}'`,
    whose: "the others'",
    who: 'the others',
  })
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
