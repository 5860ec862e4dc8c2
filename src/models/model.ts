import type { z } from 'zod'
import type { Classifier, Normalization } from '../nn/classifier.ts'
import type { Compute } from '../tensor/device.ts'
import type { Random } from '../tensor/random.ts'
import type { ImageShape } from '../training/images.ts'

/** What a model must fit. */
export interface ModelContext {
  readonly random: Random
  readonly compute: Compute
  readonly classes: number
  readonly shape: ImageShape
  readonly normalization: Normalization | null
}

/** One entry of the catalogue of models. */
export interface ModelEntry<Schema extends z.ZodObject = z.ZodObject> {
  readonly title: string
  readonly paper: string
  readonly options: Schema
  build(options: z.output<Schema>, context: ModelContext): Classifier
}

export function defineModel<Schema extends z.ZodObject>(entry: ModelEntry<Schema>): ModelEntry<Schema> {
  return entry
}

/** Whether images [channels, height, width] are small: of up to 64 pixels a side, which an ImageNet stem would shrink too soon. */
export function isSmall([, height, width]: ImageShape): boolean {
  return Math.max(height, width) <= 64
}
