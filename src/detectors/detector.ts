import type { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import type { Compute } from '../tensor/device.ts'
import type { Random } from '../tensor/random.ts'
import type { Loader } from '../training/loader.ts'
import type { Suspicion } from '../training/suspicion.ts'

/**
 * Everything a detector may know: images as they were collected, and a model that was trained on them. No poison mask,
 * no trigger, no target class, and a random stream from which the one that chose the poison cannot be derived.
 */
export interface DetectorView {
  /** the images, labels as given, on the device */
  readonly images: Loader
  readonly classes: readonly string[]
  readonly model: Classifier
  /** images that can be trusted, none of them among the others: for a detector that declares a use for them, where there are some */
  readonly clean: Loader | null
  readonly random: Random
  readonly compute: Compute
  /** images per pass through the model: a matter of memory and time, of which no score depends */
  readonly batch: number
  /** passes through the model so far, and how many it will take */
  readonly onProgress: (done: number, total: number) => void
}

/** One entry of the catalogue of detectors. */
export interface DetectorEntry<Schema extends z.ZodObject = z.ZodObject> {
  readonly title: string
  readonly paper: string
  /** what it uses besides the images and the model */
  readonly assumes: 'nothing' | 'clean images, if there are some'
  readonly options: Schema
  /** A score per image, and the threshold above which images are flagged: as a defense's own suspicion. */
  detect(options: z.output<Schema>, view: DetectorView): Promise<Suspicion>
}

export function defineDetector<Schema extends z.ZodObject>(entry: DetectorEntry<Schema>): DetectorEntry<Schema> {
  return entry
}
