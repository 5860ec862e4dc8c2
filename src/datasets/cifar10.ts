import { z } from 'zod'
import { cifarShape, findCifar, loadCifar, type Publication } from './cifar-files.ts'
import { release } from './cifar10/release.ts'
import { defineDataset } from './dataset.ts'

/** names of the files, without the suffix of their form */
export const trainFiles = [1, 2, 3, 4, 5].map((number) => `data_batch_${number}`)
export const testFiles = ['test_batch']
/** what a file may have; the published ones have half of it */
export const mostBytes = 64 * 2 ** 20

/** The ten classes, for a folder without batches.meta. */
export const knownClasses: readonly string[] = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
]

const publication: Publication = {
  title: 'CIFAR-10',
  folders: { python: 'cifar-10-batches-py', binary: 'cifar-10-batches-bin' },
  meta: { python: 'batches.meta', binary: 'batches.meta.txt' },
  train: trainFiles,
  test: testFiles,
  parts: 1,
  mostBytes,
  labels: { key: 'labels', names: 'label_names', bytes: 1, at: 0, classes: 10 },
  known: knownClasses,
}

/** CIFAR-10 as its authors publish it (A. Krizhevsky, 2009). */
export const cifar10 = defineDataset({
  title: 'CIFAR-10',
  source: 'https://www.cs.toronto.edu/~kriz/cifar.html',
  data: 'the folder with data_batch_1 to data_batch_5 and test_batch (python or .bin), or the folder around it',
  target: 0,
  flip: true,
  learningRate: 0.1,
  release,
  options: z.object(cifarShape),
  recognizes: (path) => findCifar(publication, path) !== undefined,
  folderOf: () => null,
  load: (options, context) => loadCifar(publication, options, context),
})
