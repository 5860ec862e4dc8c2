import type { DatasetEntry } from '../../datasets/dataset.ts'
import { datasets } from '../../datasets/index.ts'
import { planCompute } from '../../tensor/device.ts'
import { Random } from '../../tensor/random.ts'
import { type ImageSet, subset } from '../../training/images.ts'
import type { Config } from '../settings/config.ts'
import { hashOfData, type Identity } from '../store/records.ts'
import type { Listener } from './listener.ts'

/** Loads the configured data set. */
export function loadDataset(config: Config, listener: Listener) {
  const entry = datasets[config.dataset] as unknown as DatasetEntry
  return entry.load(config.options.dataset, { data: config.data, seed: config.seed, progress: listener.reading })
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
  const key = JSON.stringify([dataset, data, seed, options.dataset])
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
