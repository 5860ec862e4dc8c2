import { knockoffThreshold } from './knockoffs.ts'

/** How often W is positive among the images of one label. On clean images the share is about one half. */
interface SignBias {
  readonly label: number
  /** W of the label's images, in the images' order */
  readonly statistics: Float32Array
  /** share of the label's images with W > 0, 0 to 1 */
  readonly positiveShare: number
}

/** One per label that occurs, by ascending share. */
function signBiases(statistics: Float32Array, labels: Int32Array): SignBias[] {
  return [...new Set(labels)]
    .map((label) => {
      const own = statistics.filter((_, i) => labels[i] === label)
      return { label, statistics: own, positiveShare: own.filter((w) => w > 0).length / own.length }
    })
    .sort((a, b) => a.positiveShare - b.positiveShare)
}

const medianOf = (sorted: readonly SignBias[]) => sorted[(sorted.length - 1) >> 1]?.positiveShare ?? 0.5

/** The median over labels of the share of images with W > 0; 0.5 where there are no images. */
export function medianPositiveShare(statistics: Float32Array, labels: Int32Array): number {
  return medianOf(signBiases(statistics, labels))
}

/** A label is searched if its positive share exceeds the median label's by this much … */
const minExcess = 0.15
/** … and by this many standard deviations of chance. */
const minDeviations = 6

/** q within one label. Larger than q over all images: the sign bias is certain, but which images cause it is not. */
const qWithinLabel = 0.25

/**
 * label → t, the knockoff threshold among the W of that label alone (q = 25 %), for labels with a sign bias:
 * p − median ≥ 0.15 and (p − median) / (1 / (2√n)) ≥ 6, where p is the share of the label's n images with W > 0.
 *
 * Finds faint triggers: over all labels, the negative W of clean images outnumber the positive W of the poisoned ones.
 * Poisoned images share one label, so within it the comparison is with that label's clean images only.
 */
export function thresholdsByLabel(statistics: Float32Array, labels: Int32Array): Map<number, number> {
  const all = signBiases(statistics, labels)
  const median = medianOf(all)
  const biased = all.filter(({ positiveShare, statistics: own }) => {
    const excess = positiveShare - median
    return excess >= minExcess && excess * 2 * Math.sqrt(own.length) >= minDeviations // deviation of a share: 1/(2√n)
  })
  const thresholds = biased.map(({ label, statistics: own }) => {
    return [label, knockoffThreshold(own, { q: qWithinLabel })] as const
  })
  return new Map(thresholds.filter(([, threshold]) => Number.isFinite(threshold)))
}
