import type { Recognition } from './recognition.ts'

/** A recognition counts from this confidence on. */
const certain = 0.9
/** A label is suspect if its T exceeds that of the upper quartile of labels this many times … */
const minRatio = 2.5
/** … and by this many images, and three deviations of chance. */
const minImages = 10
/** Evidence is strong from this multiple of `minRatio` on. */
const strongMultiple = 2

/** A label whose images show too many other things. */
export interface SuspectLabel {
  readonly label: number
  readonly strong: boolean
}

/**
 * The labels under which too many images show too many other things:
 *
 *     r_yj = share of the images of label y that the judges take for class j, with a confidence of 0.9 or more
 *     T_y  = Σ r_yj over all j but the quarter of the classes with the largest r_yj
 *     y is suspect if T_y ≥ 2.5·T̂ and n_y·T_y ≥ e + 3√e + 10, e = n_y·T̂, with T̂ the upper quartile of T over the labels
 *
 * Clean images of a class are taken for the few classes that they resemble. Poisoned images come from many classes.
 */
export function suspectLabels({ as, confidence }: Recognition, labels: Int32Array, classes: number): SuspectLabel[] {
  const certainly = Array.from({ length: classes }, () => new Float64Array(classes))
  const sizes = new Float64Array(classes)
  for (const [i, label] of labels.entries()) {
    sizes[label] = (sizes[label] as number) + 1
    if ((confidence[i] as number) < certain) continue
    const row = certainly[label] as Float64Array
    row[as[i] as number] = (row[as[i] as number] as number) + 1
  }
  const counts = certainly.map((row) =>
    row
      .sort()
      .subarray(0, classes - Math.ceil(classes / 4))
      .reduce((a, b) => a + b, 0),
  )
  const sizeOf = (label: number) => Math.max(1, sizes[label] as number)
  const usual = upperQuartile(counts.map((count, label) => count / sizeOf(label)))
  return [...counts.entries()].flatMap(([label, count]) => {
    const expected = usual * sizeOf(label)
    const suspect = count >= minRatio * expected && count >= expected + 3 * Math.sqrt(expected) + minImages
    return suspect ? [{ label, strong: count >= strongMultiple * minRatio * expected }] : []
  })
}

const upperQuartile = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(0.75 * (values.length - 1))] as number
