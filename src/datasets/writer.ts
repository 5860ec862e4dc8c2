import type { ImageSets } from './dataset.ts'

/** A form in which a data set is written so that an entry of the catalogue reads the same images again. */
export interface DatasetWriter {
  readonly title: string
  /** a UserError where this form cannot hold these images */
  check(dataset: ImageSets): void
  /**
   * Writes into an empty folder, training images in the order given, and nothing about an image but its pixels and its
   * label. Gives the training images' names as they will be read again, in that order.
   */
  write(folder: string, dataset: ImageSets, progress: (done: number, total: number) => void): Promise<readonly string[]>
}
