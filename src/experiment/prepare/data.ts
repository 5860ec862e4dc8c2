import type { Dataset, DatasetEntry } from '../../datasets/dataset.ts'
import { type DatasetName, datasets } from '../../datasets/index.ts'
import { planCompute } from '../../tensor/device.ts'
import { Random } from '../../tensor/random.ts'
import { type ImageSet, subset } from '../../training/images.ts'
import type { Config } from '../settings/config.ts'
import { hashOfData, type Identity } from '../store/records.ts'
import { describeDataset } from './describe-data.ts'
import type { Listener } from './listener.ts'
import { setApart } from './set-apart.ts'

/** The data set of the catalogue that lies at `data`. */
export function datasetAt(data: string): DatasetName {
  const found = Object.entries(datasets).find(([, entry]) => entry.recognizes(data))
  if (!found) throw new Error('No data set of the catalogue takes what no other one recognizes')
  return found[0] as DatasetName
}

/** Settings for a person's own images: what lies there says which data set of the catalogue it is. */
export function onData(data: string, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...given, dataset: datasetAt(data), data }
}

/** What each listener was told of data sets already: a sweep reads the same one for many experiments. */
const told = new WeakMap<Listener['say'], Set<string>>()

export interface Loaded extends Dataset {
  /** the test images are a share of the training images, since there were no others */
  readonly shared: boolean
}

/** Loads the configured data set, and tells what it holds and what was left out; one without test images gives a share of its own. */
export async function loadDataset(config: Config, listener: Listener): Promise<Loaded> {
  const entry = datasets[config.dataset] as unknown as DatasetEntry
  const { data, seed, options } = config
  const given = await entry.load(options.dataset, { data, seed, progress: listener.reading })
  const dataset = given.test || config['test-share'] === 0 ? given : withTestShare(given, config['test-share'])
  if (entry.data !== null) tellOnce(describeDataset(dataset), listener)
  return { ...dataset, shared: dataset !== given }
}

/** Sets a share of each class apart to measure on. */
function withTestShare({ train: given, problems, notes }: Dataset, share: number): Dataset {
  // Not by the run's seed: runs with other seeds, and who measures a model later, see the same test images.
  const random = new Random(0).fork('test images')
  const count = (size: number) => Math.min(size - 1, Math.max(1, Math.round(share * size)))
  const { kept, apart } = setApart(given, { random, count })
  const facts = `${apart?.labels.length ?? 0} of ${given.labels.length} images are set apart to measure on`
  return { train: kept, test: apart, problems, notes: [...notes, `no test images there: ${facts}`] }
}

/** Says lines to a listener that was not told the same before. */
export function tellOnce(lines: readonly string[], { say }: Pick<Listener, 'say'>): void {
  const before = told.get(say) ?? new Set()
  told.set(say, before)
  const text = lines.join('\n')
  if (!before.has(text)) for (const line of lines) say(line)
  before.add(text)
}

/**
 * The training images in the order of training, which is random: many data sets come sorted by class, and in their own
 * order an image's neighbors would tell its true label. A share of them is trusted, for defenses that need some, and is
 * set apart before anything is poisoned. `order` gives the places in the data set.
 */
export function inTrainingOrder(
  given: ImageSet,
  { seed, 'clean-share': share }: Config,
): { train: ImageSet; order: Int32Array; clean: ImageSet | null } {
  const all = new Random(seed).fork('order').permutation(given.labels.length)
  const trusted = Math.round(share * all.length)
  const order = all.subarray(trusted)
  return {
    train: subset(given, order),
    order,
    clean: trusted > 0 ? subset(given, all.subarray(0, trusted)) : null,
  }
}

/** What a record of this experiment is of besides its configuration: reads the images, those of one data set once. */
export async function identify(config: Config, listener: Listener): Promise<Identity> {
  const { dataset, data, seed, options } = config
  const key = JSON.stringify([dataset, data, seed, options.dataset, config['test-share']])
  const known = hashes.get(key) ?? hashesOf(config, listener)
  hashes.set(key, known)
  known.catch(() => hashes.delete(key))
  return { precision: planCompute(config).precision, data: await known }
}

const hashes = new Map<string, Promise<string>>()

async function hashesOf(config: Config, listener: Listener): Promise<string> {
  const { train, test } = await loadDataset(config, listener)
  return hashOfData({ trainHash: train.hash, testHash: test?.hash ?? null })
}
