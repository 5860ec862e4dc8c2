import type { ImageSet } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import { spread, unflaggedOf } from './look-alikes.ts'
import { placeOf } from './place.ts'

/** a mean is over so many images at most */
const averaged = 2000
/** of fewer images a mean says little */
const fewest = 5
const largestFactor = 16

/** Places of the images that are compared: at most 2,000 of each kind. */
export interface Compared {
  /** that most flagged images carry */
  readonly label: number
  /** flagged images of the label */
  readonly flagged: readonly number[]
  /** unflagged images of the label */
  readonly others: readonly number[]
  /** unflagged images of all labels */
  readonly all: readonly number[]
}

/** Flagged images of the label that most of them carry, and what they are compared with; null where too few are left of either. */
export function toCompare(images: ImageSet, isFlagged: (image: number) => boolean): Compared | null {
  const label = mostFlagged(images, isFlagged)
  if (label === null) return null
  const own = Int32Array.from(images.labels.keys()).filter((i) => images.labels[i] === label && isFlagged(i))
  const flagged = spread(own, averaged)
  const others = spread(unflaggedOf(images, label, isFlagged), averaged)
  const all = spread(unflaggedOf(images, null, isFlagged), averaged)
  return flagged.length < fewest || others.length < fewest ? null : { label, flagged, others, all }
}

/** How the mean of flagged images differs from other means. Pictures are rows of bytes, [height, width, channels]. */
export interface MeanDifference {
  readonly means: { readonly flagged: Uint8Array; readonly others: Uint8Array; readonly all: Uint8Array }
  /** mean of the flagged less that of unflagged images of the label, times `factor`, around middle gray */
  readonly difference: Uint8Array
  /** the same less the mean of unflagged images of all labels */
  readonly differenceToAll: Uint8Array
  readonly factor: number
  /** where most of the difference to all lies; null where it is spread */
  readonly place: string | null
}

/** Compares means. */
export function meanDifference(images: ImageSet, { flagged, others, all }: Compared): MeanDifference {
  const [mean, meanOfOthers, meanOfAll] = [flagged, others, all].map((list) => meanOf(images, list)) as Means
  const difference = mean.map((value, i) => value - (meanOfOthers[i] as number))
  const differenceToAll = mean.map((value, i) => value - (meanOfAll[i] as number))
  const largest = Math.max(
    1e-3,
    ...[difference, differenceToAll].map((d) => d.reduce((a, b) => Math.max(a, Math.abs(b)), 0)),
  )
  const factor = Math.max(1, Math.min(largestFactor, 127 / largest))
  return {
    means: { flagged: bytes(mean), others: bytes(meanOfOthers), all: bytes(meanOfAll) },
    difference: bytes(difference.map((d) => 128 + factor * d)),
    differenceToAll: bytes(differenceToAll.map((d) => 128 + factor * d)),
    factor,
    place: placeOf(energy(differenceToAll, images.shape[0]), images.shape),
  }
}

type Means = [Float32Array, Float32Array, Float32Array]

const bytes = (values: Float32Array) => Uint8Array.from(values, (v) => Math.max(0, Math.min(255, Math.round(v))))

function mostFlagged({ labels, classes }: ImageSet, isFlagged: (image: number) => boolean): number | null {
  const counts = new Int32Array(classes.length)
  for (const [i, label] of labels.entries()) if (isFlagged(i)) counts[label] = (counts[label] as number) + 1
  const most = Math.max(0, ...counts)
  return most === 0 ? null : counts.indexOf(most)
}

function meanOf({ rows }: ImageSet, list: readonly number[]): Float32Array {
  const read = rowReader(rows)
  const sums = new Float64Array(rows.bytes)
  for (const image of list) {
    const row = read(image)
    for (let i = 0; i < row.length; i++) sums[i] = (sums[i] as number) + (row[i] as number)
  }
  return Float32Array.from(sums, (sum) => sum / list.length)
}

/** Squares of a difference, summed over the channels of each pixel. */
function energy(difference: Float32Array, channels: number): Float32Array {
  const sums = new Float32Array(difference.length / channels)
  for (const [i, d] of difference.entries()) {
    const pixel = Math.floor(i / channels)
    sums[pixel] = (sums[pixel] as number) + d * d
  }
  return sums
}
