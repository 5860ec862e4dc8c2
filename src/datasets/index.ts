import { cifar10 } from './cifar10.ts'
import { cifar100 } from './cifar100.ts'
import type { DatasetEntry } from './dataset.ts'
import { gtsrb } from './gtsrb.ts'
import { imageFolder } from './image-folder.ts'
import { imagenetSubset } from './imagenet-subset.ts'
import { manifest } from './manifest.ts'
import { parquet } from './parquet.ts'
import { signs } from './signs.ts'
import { tar } from './tar.ts'

/** The catalogue of data sets, by the names the command line knows them by. */
export const datasets = {
  signs,
  cifar10,
  cifar100,
  gtsrb,
  'imagenet-subset': imagenetSubset,
  manifest,
  tar,
  parquet,
  'image-folder': imageFolder,
} as const satisfies Record<string, DatasetEntry>

export type DatasetName = keyof typeof datasets
