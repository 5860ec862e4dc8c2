import { certain, type MeasuredRecognition, type Recognition } from './recognition.ts'

/** A label is suspect if its T exceeds that of the upper quartile of labels this many times … */
const minRatio = 2.5
/** … by this much: clean labels differ by up to 0.023 (docs/log.md) … */
const minExcess = 0.025
/** … and by this many images, and three deviations of chance. */
const minImages = 15
/** Evidence is strong from this multiple of `minRatio` on. */
const strongMultiple = 2

/** A label whose images show too many other things. */
export interface SuspectLabel {
  readonly label: number
  /** `faint`: clean labels stand out as much */
  readonly suspicion: 'strong' | 'plain' | 'faint'
}

/**
 * The labels under which too many images show too many other things:
 *
 *     r_yj = share of the images of label y that the judges take for class j, with a confidence of 0.9 or more
 *     T_y  = Σ r_yj over all j but the quarter of the classes with the largest r_yj
 *     y is suspect if T_y ≥ max(2.5·T̂, T̂ + 0.025) and n_y·T_y ≥ e + 3√e + 15
 *     T̂ = upper quartile of T over the labels,  e = n_y·T̂
 *
 * Clean images of a class are taken for the few classes that they resemble. Poisoned images come from many classes. If no
 * label is suspect, the one that exceeds e by most deviations is faintly suspect, from n_y·T_y ≥ e + 2√e + 5 on.
 */
export function suspectLabels(recognition: Recognition, labels: Int32Array, classes: number): SuspectLabel[] {
  const all = spreads(recognition, labels, classes)
  const suspects = all.filter((spread) => spread.count >= fewestSuspect(spread))
  if (suspects.length > 0) {
    return suspects.map(({ label, count, expected }) => {
      return { label, suspicion: count >= strongMultiple * minRatio * expected ? 'strong' : 'plain' }
    })
  }
  const excess = ({ count, expected }: Spread) => (count - expected) / Math.sqrt(expected + 1)
  const [first] = all.toSorted((a, b) => excess(b) - excess(a)) as [Spread]
  const isFaint = first.count >= first.expected + 2 * Math.sqrt(first.expected) + 5
  return isFaint ? [{ label: first.label, suspicion: 'faint' }] : []
}

/**
 * How many poisoned images, drawn from all classes, it takes under the label where it takes most: each is recognized as
 * often as images that were set aside, and three in four of them are not of the quarter that is left out. Infinite where
 * nothing is recognized.
 */
export function fewestNoticed(recognition: MeasuredRecognition, labels: Int32Array, classes: number): number {
  const counted = 0.75 * recognition.recall
  const needed = spreads(recognition, labels, classes).map((spread) => (fewestSuspect(spread) - spread.count) / counted)
  return Math.ceil(Math.max(...needed))
}

/** n_y·T_y from which a label is suspect. */
const fewestSuspect = ({ size, expected }: Spread) =>
  Math.max(minRatio * expected, expected + minExcess * size, expected + 3 * Math.sqrt(expected) + minImages)

interface Spread {
  readonly label: number
  /** n_y */
  readonly size: number
  /** n_y·T_y */
  readonly count: number
  /** e = n_y·T̂ */
  readonly expected: number
}

function spreads({ as, confidence }: Recognition, labels: Int32Array, classes: number): Spread[] {
  const certainly = Array.from({ length: classes }, () => new Float64Array(classes))
  const sizes = new Float64Array(classes)
  for (const [i, label] of labels.entries()) {
    sizes[label] = (sizes[label] as number) + 1
    if ((confidence[i] as number) < certain) continue
    const row = certainly[label] as Float64Array
    row[as[i] as number] = (row[as[i] as number] as number) + 1
  }
  const leftOut = Math.ceil(classes / 4)
  const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0)
  const counts = certainly.map((row) => sum(row.sort().subarray(0, classes - leftOut)))
  const sizeOf = (label: number) => Math.max(1, sizes[label] as number)
  const usual = upperQuartile(counts.map((count, label) => count / sizeOf(label)))
  return counts.map((count, label) => ({ label, size: sizeOf(label), count, expected: usual * sizeOf(label) }))
}

const upperQuartile = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(0.75 * (values.length - 1))] as number
