import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Settings for a person's own folder of images: the folder itself says which data set of the catalogue it is. */
export function onFolder(data: string, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...given, dataset: detectDataset(data), data }
}

/** The catalogue's name for what lies at `data`: CIFAR batches, or else class folders. */
export function detectDataset(data: string): 'cifar10' | 'image-folder' {
  const marks = ['data_batch_1', 'data_batch_1.bin']
  return marks.some((name) => existsSync(join(data, name))) ? 'cifar10' : 'image-folder'
}
