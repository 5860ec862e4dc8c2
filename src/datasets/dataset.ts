import type { z } from 'zod'
import type { ImageSet } from '../training/images.ts'
import type { Release } from './release.ts'

/** A file that was left out, and why. */
export interface Problem {
  readonly file: string
  readonly reason: string
}

/** Reasons for which a class's folder gives no image. */
export const emptyClassReasons = {
  noImages: 'there are no image files in it',
  noneUsable: 'none of its training images is usable: it is no class',
} as const

/** Images to train on, and images nobody tampered with to test on where there are some. */
export interface ImageSets {
  readonly train: ImageSet
  readonly test: ImageSet | null
}

/** What a data set gives. */
export interface Dataset extends ImageSets {
  /** files and folders that were skipped by a stated rule */
  readonly problems: readonly Problem[]
  /** what a person should know of how the data were read, a sentence each, such as where splits were found */
  readonly notes: readonly string[]
}

export interface LoadContext {
  /** the user's `--data`, where given */
  readonly data: string | undefined
  readonly seed: number
  /** called now and then while files are read */
  readonly progress: (done: number, total: number) => void
}

/** One entry of the catalogue of data sets. */
export interface DatasetEntry<Schema extends z.ZodObject = z.ZodObject> {
  readonly title: string
  readonly source: string
  /** what `--data` must point to; null for a data set that the program draws itself */
  readonly data: string | null
  /** the target class attacks use unless told otherwise */
  readonly target: number
  /** whether mirrored images keep their class, so that training may flip them */
  readonly flip: boolean
  /** the base learning rate for it */
  readonly learningRate: number
  readonly options: Schema
  /** what `data fetch` downloads; absent for a data set that nobody may pass on, or of a person's own */
  readonly release?: Release
  /** whether what lies at `path` has this entry's form; entries are asked in the catalogue's order */
  recognizes(path: string): boolean
  /** the folder in which the images' names are paths of files; null where images are no files of their own */
  folderOf(path: string): string | null
  load(options: z.output<Schema>, context: LoadContext): Promise<Dataset>
}

export function defineDataset<Schema extends z.ZodObject>(entry: DatasetEntry<Schema>): DatasetEntry<Schema> {
  return entry
}
