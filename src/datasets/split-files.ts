import { basename } from 'node:path'
import { type Split, splitsOf } from './split-names.ts'

/** A file of images, and the split that it is of. */
export interface SplitFile {
  readonly path: string
  readonly split: Split
}

/**
 * Which split each file is of, by its name: `train-00000-of-00002.parquet`, `imagenet-val-000.tar`. Where no name says a
 * split, or all say the same, all are for training; where some do, the others are `unused`.
 */
export function splitFiles(paths: readonly string[]): { files: readonly SplitFile[]; unused: readonly string[] } {
  const splits = splitsOf(paths.map((path) => basename(path).replace(/\..*$/, '')))
  const named = new Set(splits)
  if (named.size < 2) return { files: paths.map((path) => ({ path, split: 'train' })), unused: [] }
  const files = paths.flatMap((path, i) => (splits[i] === undefined ? [] : [{ path, split: splits[i] as Split }]))
  return { files, unused: paths.filter((_, i) => splits[i] === undefined) }
}
