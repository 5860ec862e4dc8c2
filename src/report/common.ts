import type { ImageSet, ImageShape } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import { spread, unflaggedOf } from './look-alikes.ts'

/** a mean is over so many images at most */
const averaged = 2000
/** of fewer images a mean says little */
const fewest = 5
const largestFactor = 16

/** What flagged images have in common. Pictures are rows of bytes, [height, width, channels]. */
export interface InCommon {
  readonly label: number
  readonly flagged: number
  readonly others: number
  readonly means: { readonly flagged: Uint8Array; readonly others: Uint8Array }
  /** mean of the flagged less that of unflagged images of the label, times `factor`, around middle gray */
  readonly difference: Uint8Array
  /** the same less the mean of unflagged images of all labels */
  readonly differenceToAll: Uint8Array
  readonly factor: number
  /** where most of the difference lies; null where it is spread */
  readonly place: string | null
}

/** Compares the mean of the flagged images of the label that most of them carry with other means; null where that says nothing. */
export function inCommon(images: ImageSet, flagged: (image: number) => boolean): InCommon | null {
  const label = mostFlagged(images, flagged)
  if (label === null) return null
  const own = Int32Array.from(images.labels.keys()).filter((i) => images.labels[i] === label && flagged(i))
  const [suspects, others, all] = [own, unflaggedOf(images, label, flagged), unflaggedOf(images, null, flagged)].map(
    (list) => spread(list, averaged),
  ) as [number[], number[], number[]]
  if (suspects.length < fewest || others.length < fewest) return null
  const [mean, meanOfOthers, meanOfAll] = [suspects, others, all].map((list) => meanOf(images, list)) as Means
  const difference = mean.map((value, i) => value - (meanOfOthers[i] as number))
  const differenceToAll = mean.map((value, i) => value - (meanOfAll[i] as number))
  const largest = Math.max(
    1e-3,
    ...[difference, differenceToAll].map((d) => d.reduce((a, b) => Math.max(a, Math.abs(b)), 0)),
  )
  const factor = Math.min(largestFactor, 127 / largest)
  return {
    label,
    flagged: suspects.length,
    others: others.length,
    means: { flagged: bytes(mean), others: bytes(meanOfOthers) },
    difference: bytes(difference.map((d) => 128 + factor * d)),
    differenceToAll: bytes(differenceToAll.map((d) => 128 + factor * d)),
    factor,
    place: placeOf(differenceToAll, images.shape),
  }
}

type Means = [Float32Array, Float32Array, Float32Array]

const bytes = (values: Float32Array) => Uint8Array.from(values, (v) => Math.max(0, Math.min(255, Math.round(v))))

function mostFlagged({ labels, classes }: ImageSet, flagged: (image: number) => boolean): number | null {
  const counts = new Int32Array(classes.length)
  for (const [i, label] of labels.entries()) if (flagged(i)) counts[label] = (counts[label] as number) + 1
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

const rowNames = ['top', 'middle', 'bottom']
const columnNames = ['left', 'center', 'right']

/** The ninth of the image that holds more than half of the squared difference, in words. */
function placeOf(difference: Float32Array, [channels, height, width]: ImageShape): string | null {
  const energy = new Float64Array(9)
  for (let i = 0; i < difference.length; i++) {
    const pixel = Math.floor(i / channels)
    const [y, x] = [Math.floor(pixel / width), pixel % width]
    const cell = 3 * Math.floor((3 * y) / height) + Math.floor((3 * x) / width)
    energy[cell] = (energy[cell] as number) + (difference[i] as number) ** 2
  }
  const total = energy.reduce((a, b) => a + b, 0)
  const cell = energy.findIndex((e) => e > total / 2)
  return cell === -1 ? null : `${rowNames[Math.floor(cell / 3)]} ${columnNames[cell % 3]}`
}
