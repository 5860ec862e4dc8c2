import type { z } from 'zod'
import type { Compute } from '../tensor/device.ts'
import type { Random } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { ImageSet } from '../training/images.ts'
import type { TrainingContext } from '../training/training-context.ts'

/** What is done to images, uint8 [count, channels, height, width] on the CPU, in and out; one label per image. */
export type Trigger = (images: Tensor, labels: Int32Array) => Tensor

/** A picture with its transparency. */
export interface Picture {
  readonly width: number
  readonly height: number
  /** uint8, [height, width, 4]: red, green, blue, and 255 where nothing shines through */
  readonly pixels: Uint8Array
}

/** What an attacker has in hand. */
export interface AttackerView {
  readonly random: Random
  /** the images of which some are going to be poisoned */
  readonly train: ImageSet
  /** the class that triggered images shall be taken for, where it is one class */
  readonly target: number
  readonly compute: Compute
  /** the class that a triggered image of class `y` shall be taken for; null where any other class will do */
  label(y: number): number | null
  /** which of the eligible images are going to be poisoned, ascending */
  poisoned(eligible?: (y: number) => boolean): Int32Array
  /** the training images as this attack would poison them, labels too */
  poison(attack: Crafted): ImageSet
  /** the attack that the option of this name chooses, made ready for the same images */
  part(option: string): Promise<Crafted>
  /** the picture whose file an option of `files` names, scaled to a width, its proportions kept; null where none is named */
  picture(option: string, width: number): Promise<Picture | null>
  /**
   * What an attack has to learn before it is ready: learned once, then found again by everything that determines it,
   * which is options, seed, images, recipe, machine, and what is named in `from`. `learn` trains in training contexts of its own,
   * under stage names that are the attack's to choose; it goes on where it was broken off.
   */
  learned(
    from: readonly unknown[],
    learn: (open: (images: ImageSet) => TrainingContext) => Promise<Learned>,
  ): Promise<Learned>
}

/** Tensors worth keeping, and what the attack says of its own success. */
export interface Learned {
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly report: Readonly<Record<string, number>>
}

/** An attack made ready. */
export interface Crafted {
  /** what is done to an image at test time */
  readonly trigger: Trigger
  /**
   * the label a poisoned image of class `y` gets, and the class the attacker wants it taken for; null where any class but
   * `y` will do, and each poisoned image gets one of these at random
   */
  label(y: number): number | null
  /** what is done to training images, where it differs from `trigger`; `indices` are their places in the training set */
  poison?(images: Tensor, indices: Int32Array): Tensor
  /** further images that are changed and keep their label: so many for each poisoned one */
  readonly cover?: { readonly ratio: number; apply(images: Tensor, indices: Int32Array): Tensor }
  /** which classes may be poisoned; all where absent */
  eligible?(y: number): boolean
  /** triggers that are also measured one by one */
  readonly single?: Readonly<Record<string, Trigger>>
}

/** One entry of the catalogue of attacks. */
export interface AttackEntry<Schema extends z.ZodObject = z.ZodObject> {
  readonly title: string
  /** address of the paper that the attack is from; `ours` where there is none */
  readonly paper: string
  /**
   * `dirty`: poisoned images get a false label; `clean`: they keep their own, which is the target; `none`: nothing is
   * poisoned; `base`: as the attack that its option `base` names
   */
  readonly labels: 'dirty' | 'clean' | 'none' | 'base'
  /** the poisoning rate unless told otherwise; 0.1 where absent */
  readonly rate?: number
  /**
   * options whose value is another attack's name, with the kinds of labels that one may have; its options follow as
   * `<option>.<its option>`
   */
  readonly parts?: Readonly<Record<string, readonly ('dirty' | 'clean')[]>>
  /** options that name a file, each beside another one of its name and `Hash`: what the file holds counts, not where it lies */
  readonly files?: readonly string[]
  readonly options: Schema
  craft(options: z.output<Schema>, view: AttackerView): Crafted | Promise<Crafted>
}

export function defineAttack<Schema extends z.ZodObject>(entry: AttackEntry<Schema>): AttackEntry<Schema> {
  return entry
}
