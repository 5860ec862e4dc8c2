import { z } from 'zod'
import { cifarShape, findCifar, loadCifar, type Publication } from './cifar-files.ts'
import { defineDataset } from './dataset.ts'

const publication: Omit<Publication, 'labels' | 'meta'> = {
  title: 'CIFAR-100',
  folders: { python: 'cifar-100-python', binary: 'cifar-100-binary' },
  train: ['train'],
  test: ['test'],
  // 50,000 images and 10,000
  parts: 5,
  mostBytes: 320 * 2 ** 20,
  known: null,
}

const fine: Publication = {
  ...publication,
  meta: { python: 'meta', binary: 'fine_label_names.txt' },
  labels: { key: 'fine_labels', names: 'fine_label_names', bytes: 2, at: 1, classes: 100 },
}

const coarse: Publication = {
  ...publication,
  meta: { python: 'meta', binary: 'coarse_label_names.txt' },
  labels: { key: 'coarse_labels', names: 'coarse_label_names', bytes: 2, at: 0, classes: 20 },
}

/** CIFAR-100 as its authors publish it (A. Krizhevsky, 2009). */
export const cifar100 = defineDataset({
  title: 'CIFAR-100',
  source: 'https://www.cs.toronto.edu/~kriz/cifar.html',
  data: 'the folder with train, test and meta (python), or train.bin and test.bin, or the folder around it',
  target: 0,
  flip: true,
  learningRate: 0.1,
  options: z.object({
    ...cifarShape,
    labels: z
      .enum(['fine', 'coarse'])
      .default('fine')
      .describe('fine tells 100 classes apart, coarse the 20 groups that they are of'),
  }),
  recognizes: (path) => findCifar(fine, path) !== undefined,
  folderOf: () => null,
  load: ({ labels, ...options }, context) => loadCifar(labels === 'fine' ? fine : coarse, options, context),
})
