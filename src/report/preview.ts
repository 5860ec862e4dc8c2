import type { Crafted } from '../attacks/attack.ts'
import { writeAtomically } from '../files.ts'
import { scope } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import { type ImageSet, pixelsOf } from '../training/images.ts'
import { sheet } from './sheet.ts'

const shown = 8

/** Training images before and after they were poisoned. */
export interface PoisonedImages {
  readonly train: ImageSet
  readonly poisoned: { readonly set: ImageSet; readonly truth: { readonly poisoned: Int32Array } }
}

/**
 * A preview of a trigger as PNG: eight images, one column each; rows clean, triggered, and the residual times 8 around
 * middle gray. Where training images get something else than the trigger, three more rows show poisoned ones.
 */
export async function writePreview(
  path: string,
  { clean, attack, training }: { clean: ImageSet; attack: Crafted; training?: PoisonedImages | undefined },
): Promise<void> {
  const { shape } = clean
  const before = pick(clean, clean.labels.keys())
  const labels = clean.labels.slice(0, shown)
  const triggered = scope(() => attack.trigger(tensor(before, [labels.length, ...shape]), labels).bytes())
  const rows = [before, triggered, residual(before, triggered)]
  if (attack.poison && training) {
    const chosen = training.poisoned.truth.poisoned
    const [original, poisoned] = [pick(training.train, chosen), pick(training.poisoned.set, chosen)]
    rows.push(original, poisoned, residual(original, poisoned))
  }
  writeAtomically(path, await sheet(rows, shape))
}

/** The pixels of the first images among those at `indices`. */
const pick = (set: ImageSet, indices: Iterable<number>) => pixelsOf(set, [...indices].slice(0, shown))

const residual = (before: Uint8Array, after: Uint8Array) =>
  before.map((pixel, i) => Math.max(0, Math.min(255, 128 + 8 * ((after[i] as number) - pixel))))
