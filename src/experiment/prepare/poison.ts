import { createHash } from 'node:crypto'
import type { Crafted } from '../../attacks/attack.ts'
import { UserError } from '../../errors.ts'
import type { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import { type Tensor, tensor } from '../../tensor/tensor.ts'
import { type ImageSet, imageBytes, imageSet, interleaved, pixelsOf } from '../../training/images.ts'
import { slices } from '../../training/loader.ts'
import { replaceRows, rowsOf } from '../../training/rows.ts'

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

/** How much is poisoned, and by which stream it is chosen. */
export interface PoisonDraw {
  /** poisoned / all images */
  readonly rate: number
  /** what was asked for, where that was a share of the images that may be poisoned: of none it makes a rate of 0 */
  readonly classRate?: number | undefined
  readonly random: Random
}

/**
 * Which images are poisoned: round(rate·count), drawn without replacement from the classes that may be; and which of the
 * others are covers, `ratio` for each poisoned one, from all classes. The same stream gives the same lists.
 */
export function choosePoison(
  labels: Int32Array,
  { eligible, ratio = 0 }: { eligible?: ((y: number) => boolean) | undefined; ratio?: number },
  { rate, random }: PoisonDraw,
): { poisoned: Int32Array; covers: Int32Array } {
  const count = labels.length
  const wanted = Math.round(rate * count)
  const order = random.permutation(count)
  const choice = eligible ? order.filter((i) => eligible(labels[i] as number)) : order
  if (wanted > choice.length) {
    throw new UserError(
      'usage',
      `Cannot poison ${wanted} of ${count} images: the attack has ${choice.length} to choose from; lower the rate`,
    )
  }
  const poisoned = choice.slice(0, wanted).sort()
  const taken = new Set(poisoned)
  const free = order.filter((i) => !taken.has(i))
  const covers = Math.round(ratio * wanted)
  if (covers > free.length) {
    throw new UserError(
      'usage',
      `Cannot add ${covers} covers to ${wanted} poisoned of ${count} images: ${free.length} are left; lower the rate`,
    )
  }
  return { poisoned, covers: free.slice(0, covers).sort() }
}

/** Triggers and relabels a share of the images. */
export function poison(clean: ImageSet, attack: Crafted, draw: PoisonDraw): { set: ImageSet; truth: Truth } {
  const { eligible, cover } = attack
  const { poisoned, covers } = choosePoison(clean.labels, { eligible, ratio: cover?.ratio ?? 0 }, draw)
  if (poisoned.length === 0) refuseNone(clean, attack, draw)

  const change =
    attack.poison ?? ((images: Tensor, indices: Int32Array) => attack.trigger(images, labelsAt(clean, indices)))
  const triggeredRows = replaceRows(clean.rows, poisoned, changedRows(clean, poisoned, change))
  const rows = cover ? replaceRows(triggeredRows, covers, changedRows(clean, covers, cover.apply)) : triggeredRows
  const labels = clean.labels.slice()
  const count = clean.classes.length
  for (const i of poisoned) {
    const y = clean.labels[i] as number
    labels[i] = attack.label(y) ?? anotherLabel(y, { count, random: draw.random.fork(`label ${i}`) })
  }

  const hash = createHash('sha256')
    .update(JSON.stringify([[...poisoned], [...covers]]))
    .digest('hex')
  const set = imageSet({ ...clean, rows, labels })
  return { set, truth: { poisoned, covers, originalLabels: clean.labels, hash } }
}

/** Any of the classes but `y`, each as likely. */
function anotherLabel(y: number, { count, random }: { count: number; random: Random }): number {
  return (y + 1 + random.integer(count - 1)) % count
}

/** A UserError where something was to be poisoned. */
function refuseNone({ labels }: ImageSet, { eligible }: Crafted, { rate, classRate = 0 }: PoisonDraw): void {
  if (rate === 0 && classRate === 0) return
  if (eligible && !labels.some(eligible)) {
    const facts = `the attack leaves labels as they are, and none of ${labels.length} images is of its class`
    throw new UserError('usage', `Cannot poison: ${facts}; choose another target`)
  }
  const facts = `${labels.length} images at a rate of ${rate}`
  throw new UserError('usage', `Cannot poison ${facts}: that is none of them; raise the rate`)
}

/** The images at `indices`, triggered as at test time; labels as they were. */
export function triggered(clean: ImageSet, { trigger }: Pick<Crafted, 'trigger'>): ImageSet {
  const all = Int32Array.from(clean.labels.keys())
  const changed = changedRows(clean, all, (images, indices) => trigger(images, labelsAt(clean, indices)))
  return imageSet({ ...clean, rows: rowsOf(changed, clean.rows.bytes) })
}

/** bytes of images that are changed at a time: as floats they take several times as much */
const largestPart = 3_000_000

/** What `change` makes of the images at `indices`, as rows. */
function changedRows(
  clean: ImageSet,
  indices: Int32Array,
  change: (images: Tensor, indices: Int32Array) => Tensor,
): Uint8Array {
  const { shape } = clean
  const size = imageBytes(shape)
  const rows = new Uint8Array(indices.length * size)
  let done = 0
  for (const part of slices(indices, Math.max(1, Math.floor(largestPart / size)))) {
    scope(() => {
      const changed = change(tensor(pixelsOf(clean, part), [part.length, ...shape]), part)
      if (changed.dtype !== 'uint8') throw new Error(`An attack must give uint8 images, not ${changed.dtype}`)
      rows.set(interleaved(changed.bytes(), shape), done)
    })
    done += part.length * size
  }
  return rows
}

const labelsAt = (set: ImageSet, indices: Int32Array) => indices.map((i) => set.labels[i] as number)
