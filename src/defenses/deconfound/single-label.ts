import { knockoffThreshold } from './knockoffs.ts'

/** Of how many images of a label the difference is positive; chance makes it about one half. */
interface Lean {
  readonly label: number
  /** of its images, in order */
  readonly differences: Float32Array
  /** of the positive ones, 0 to 1 */
  readonly share: number
}

function leans(differences: Float32Array, labels: Int32Array): Lean[] {
  return [...new Set(labels)]
    .map((label) => {
      const own = differences.filter((_, i) => labels[i] === label)
      return { label, differences: own, share: own.filter((difference) => difference > 0).length / own.length }
    })
    .sort((a, b) => a.share - b.share)
}

const inTheMiddle = (sorted: readonly Lean[]) => sorted[(sorted.length - 1) >> 1]?.share ?? 0.5

/** The share of positive differences in the label in the middle. */
export function usualShare(differences: Float32Array, labels: Int32Array): number {
  return inTheMiddle(leans(differences, labels))
}

/** How far above the one in the middle a label's share must be, and how many standard deviations of chance. */
const much = 0.15
const deviations = 6

/** Of the images named under one label the share that may be named wrongly: which ones is uncertain where that there are some is not. */
const wrongly = 0.25

/**
 * Thresholds by label, for faint evidence that drowns in what chance says of the images of all other labels: poison gathers
 * under one, of which then far more images speak for it than against it, and what is against is of that label alone.
 */
export function thresholdsOfLabels(differences: Float32Array, labels: Int32Array): Map<number, number> {
  const all = leans(differences, labels)
  const usual = inTheMiddle(all)
  const leaning = all.filter(({ share, differences: own }) => {
    const more = share - usual
    return more >= much && more * 2 * Math.sqrt(own.length) >= deviations // chance deviates by 1/(2√n)
  })
  const thresholds = leaning.map(({ label, differences: own }) => {
    return [label, knockoffThreshold(own, { q: wrongly })] as const
  })
  return new Map(thresholds.filter(([, threshold]) => Number.isFinite(threshold)))
}
