import type { Suspicion } from '../../training/suspicion.ts'
import { knockoffThreshold, type Tolerance } from './knockoffs.ts'
import { thresholdsByLabel } from './single-label.ts'

/** One kind of evidence that images are poisoned. */
export interface Evidence {
  /** W, one per training image: positive for poison, negative against; on clean images either sign is about as likely */
  readonly statistics: Float32Array
  /** s, the factor by which negative W are enlarged: `toFlag` sets the threshold, `toCount` decides whether the kind counts */
  readonly asymmetry: { readonly toCount: number; readonly toFlag: number }
  /** the images' labels, where this kind may be searched within single labels */
  readonly labels?: Int32Array
}

/** A kind that flags a larger share of all images is left out: so common a pattern comes from how the images were made. */
const maxShare = 0.6

/** A kind counts if, at `asymmetry.toCount`, it still flags this share of the images that it flags in the end. */
const shareToCount = 1 / 4

/** Evidence is strong if it still counts at this multiple of `asymmetry.toCount`. */
const strongMultiple = 2

/** Flags the images with W ≥ t. */
interface FlaggingRule {
  readonly statistics: Float32Array
  /** t */
  readonly threshold: number
  readonly strong: boolean
}

/**
 * score = max W/t over the kinds that count; images with a score of 1 or more are flagged.
 *
 * The tolerance holds for each kind by itself. Where no kind counts, single labels are searched. Where they have no
 * threshold either, no image is flagged and the score is W of the first kind.
 */
export function combineEvidence(evidence: readonly Evidence[], tolerance: Tolerance): Required<Suspicion> {
  const remarks: string[] = []
  const counting: FlaggingRule[] = []
  const notCounting: Evidence[] = []
  for (const kind of evidence) {
    const rule = ruleOf(kind, tolerance)
    if (!rule) notCounting.push(kind)
    else if (rule.share <= maxShare) counting.push(rule)
    else {
      const share = Math.round(100 * rule.share)
      remarks.push(
        `${share} % of the images share a pattern: it was taken for how the images were made, not for a trigger`,
      )
    }
  }
  const judged = evidence.length === 0 || remarks.length < evidence.length
  if (counting.length === 0) counting.push(...notCounting.flatMap(ruleWithinLabels))
  const first = evidence[0]?.statistics ?? new Float32Array()
  if (counting.length === 0) {
    const threshold = first.reduce((a, b) => Math.max(a, b), 0)
    return { score: first, threshold, verdict: judged ? 'none' : 'not-judged', remarks }
  }
  const verdict = counting.some(({ strong }) => strong) ? 'found' : 'weak'
  const score = first.map((_, i) =>
    counting.reduce(
      (most, { statistics, threshold }) => Math.max(most, (statistics[i] as number) / threshold),
      -Infinity,
    ),
  )
  return { score, threshold: 1 - 2 ** -24, verdict, remarks } // the largest float32 below 1: a score of 1 is flagged
}

/** The rule of one kind, and the share of all images that it flags; undefined where the kind does not count. */
function ruleOf(
  { statistics, asymmetry }: Evidence,
  tolerance: Tolerance,
): (FlaggingRule & { readonly share: number }) | undefined {
  const thresholdAt = (asymmetry: number) => knockoffThreshold(statistics, { ...tolerance, asymmetry })
  const countFrom = (threshold: number) => statistics.filter((w) => w >= threshold).length
  const threshold = raised(statistics, thresholdAt(asymmetry.toFlag))
  const flagged = countFrom(threshold)
  const countsAt = (asymmetry: number) => countFrom(thresholdAt(asymmetry)) >= Math.max(1, shareToCount * flagged)
  if (!countsAt(asymmetry.toCount)) return undefined
  const strong = countsAt(strongMultiple * asymmetry.toCount)
  return { statistics, threshold, strong, share: flagged / statistics.length }
}

/** W / t(label) with threshold 1; an image whose label has no threshold stays below 1. Always weak. */
function ruleWithinLabels({ statistics, labels }: Evidence): FlaggingRule[] {
  if (!labels) return []
  const thresholds = thresholdsByLabel(statistics, labels)
  if (thresholds.size === 0) return []
  const unreachable = 2 * statistics.reduce((most, w) => Math.max(most, Math.abs(w)), 0)
  const relative = statistics.map((w, i) => w / (thresholds.get(labels[i] as number) ?? unreachable))
  return [{ statistics: relative, threshold: 1, strong: false }]
}

/** How many values of u are tried above t. */
const gridSteps = 64
/** A window around u reaches from u/1.2 to 1.2u. */
const windowFactor = 1.2
/** A window is sparse with at most this multiple of the fewest images found in any window. */
const sparseMultiple = 1.5

/**
 * The first u in [t, 2t] with #window(u) ≤ 1.5 · min #window, where #window(u) counts the images with u/1.2 ≤ W < 1.2u.
 * Only those u are tried that keep at least half of the images with W ≥ t.
 *
 * Where poisoned images lie far above t, most images just above t are clean; raising t drops them.
 */
function raised(statistics: Float32Array, t: number): number {
  const count = (from: number, to = Number.POSITIVE_INFINITY) => statistics.filter((w) => w >= from && w < to).length
  const candidates = Array.from({ length: gridSteps + 1 }, (_, k) => t * 2 ** (k / gridSteps)).filter(
    (u) => 2 * count(u) >= count(t),
  )
  const inWindow = candidates.map((u) => count(u / windowFactor, u * windowFactor))
  const fewest = Math.min(...inWindow)
  return candidates[inWindow.findIndex((each) => each <= sparseMultiple * fewest)] as number
}
