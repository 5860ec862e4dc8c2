import { createHash } from 'node:crypto'
import type { Crafted } from '../attacks/attack.ts'
import { UserError } from '../errors.ts'
import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { type ImageSet, imageBytes, imageSet } from '../training/images.ts'
import { slices } from '../training/loader.ts'

/** What was done to a training set: known to the experiment, never to a defense. */
export interface Truth {
  /** which images were triggered and labelled as the attack wants, in ascending order */
  readonly poisoned: Int32Array
  /** which images were triggered and kept their label */
  readonly covers: Int32Array
  /** labels before, of all images */
  readonly originalLabels: Int32Array
  /** SHA-256 over the two lists */
  readonly hash: string
}

/**
 * Triggers and relabels a share of the images: round(rate·count) of them, drawn without replacement from the classes
 * the attack may touch. The same stream gives the same list.
 */
export function poison(
  clean: ImageSet,
  attack: Crafted,
  { rate, random }: { rate: number; random: Random },
): { set: ImageSet; truth: Truth } {
  const count = clean.labels.length
  const wanted = Math.round(rate * count)
  const order = random.permutation(count)
  const eligible = attack.eligible ? order.filter((i) => attack.eligible?.(clean.labels[i] as number)) : order
  if (wanted > eligible.length) {
    throw new UserError(
      'usage',
      `Cannot poison ${wanted} of ${count} images: the attack has ${eligible.length} to choose from; lower the rate`,
    )
  }
  const poisoned = eligible.slice(0, wanted).sort()
  const taken = new Set(poisoned)
  const covers = order
    .filter((i) => !taken.has(i))
    .slice(0, Math.round((attack.cover?.share ?? 0) * count))
    .sort()

  const pixels = clean.pixels.slice()
  const change =
    attack.poison ?? ((images: Tensor, indices: Int32Array) => attack.trigger(images, labelsAt(clean, indices)))
  rewrite(pixels, clean, poisoned, change)
  if (attack.cover) rewrite(pixels, clean, covers, attack.cover.apply)
  const labels = clean.labels.slice()
  for (const i of poisoned) labels[i] = attack.label(clean.labels[i] as number)

  const hash = createHash('sha256')
    .update(JSON.stringify([[...poisoned], [...covers]]))
    .digest('hex')
  const set = imageSet({ pixels, labels, names: clean.names, shape: clean.shape, classes: clean.classes })
  return { set, truth: { poisoned, covers, originalLabels: clean.labels, hash } }
}

/** The images at `indices`, triggered as at test time; labels as they were. */
export function triggered(clean: ImageSet, attack: Crafted): ImageSet {
  const pixels = clean.pixels.slice()
  const all = Int32Array.from({ length: clean.labels.length }, (_, i) => i)
  rewrite(pixels, clean, all, (images, indices) => attack.trigger(images, labelsAt(clean, indices)))
  return imageSet({ ...clean, pixels })
}

function rewrite(
  pixels: Uint8Array,
  clean: ImageSet,
  indices: Int32Array,
  change: (images: Tensor, indices: Int32Array) => Tensor,
): void {
  const size = imageBytes(clean.shape)
  for (const part of slices(indices, 1000)) {
    scope(() => {
      const bytes = new Uint8Array(part.length * size)
      for (const [k, i] of part.entries()) bytes.set(clean.pixels.subarray(i * size, (i + 1) * size), k * size)
      const changed = change(tensor(bytes, [part.length, ...clean.shape]), part)
      if (changed.dtype !== 'uint8') throw new Error(`An attack must give uint8 images, not ${changed.dtype}`)
      const result = changed.bytes()
      for (const [k, i] of part.entries()) pixels.set(result.subarray(k * size, (k + 1) * size), i * size)
    })
  }
}

const labelsAt = (set: ImageSet, indices: Int32Array) => indices.map((i) => set.labels[i] as number)
