import type { z } from 'zod'
import type { Random } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { ImageSet } from '../training/images.ts'

/** What an attacker has in hand. */
export interface AttackerView {
  readonly random: Random
  /** the images that are going to be poisoned */
  readonly train: ImageSet
  /** the class that triggered images shall be taken for */
  readonly target: number
}

/** An attack made ready. Images are uint8 [count, channels, height, width] on the CPU, in and out. */
export interface Crafted {
  /** what is done to an image at test time */
  trigger(images: Tensor, labels: Int32Array): Tensor
  /** the label a poisoned image of class `y` gets, and the class the attacker wants it taken for */
  label(y: number): number
  /** what is done to training images, where it differs from `trigger`; `indices` are their places in the training set */
  poison?(images: Tensor, indices: Int32Array): Tensor
  /** further images that get a trigger and keep their label; `share` of all training images */
  readonly cover?: { readonly share: number; apply(images: Tensor, indices: Int32Array): Tensor }
  /** which classes may be poisoned; all where absent */
  eligible?(y: number): boolean
}

/** One entry of the catalogue of attacks. */
export interface AttackEntry<Schema extends z.ZodObject = z.ZodObject> {
  readonly title: string
  readonly paper: string
  /** `dirty`: poisoned images get a false label; `clean`: they keep their own; `none`: nothing is poisoned */
  readonly labels: 'dirty' | 'clean' | 'none'
  readonly options: Schema
  craft(options: z.output<Schema>, view: AttackerView): Crafted | Promise<Crafted>
}

export function defineAttack<Schema extends z.ZodObject>(entry: AttackEntry<Schema>): AttackEntry<Schema> {
  return entry
}
