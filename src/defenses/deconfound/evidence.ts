import type { Suspicion } from '../../training/suspicion.ts'
import { knockoffThreshold, type Tolerance } from './knockoffs.ts'
import { thresholdsOfLabels } from './single-label.ts'

/** What speaks for each image being poisoned (or against it, below 0), where chance speaks for and against as often. */
export interface Evidence {
  /** W, one per training image */
  readonly differences: Float32Array
  /**
   * Chance is fair only by and large: how much more a difference must be than one on the other side to count as much,
   * for there to be evidence at all, and for an image to be named once there is.
   */
  readonly slack: { readonly toFind: number; readonly toName: number }
  /** the images' labels, where the evidence is that of a label: it may then be found under one of them alone */
  readonly labels?: Int32Array
}

/** What more of the images share is taken for how they were made, not for poison. */
const largestShare = 0.6

/** Of the images that a kind names, the share that it must name at the slack to find already: poison's most do, of those that only lean a few. */
const convincing = 1 / 4

/** Strong is what would be evidence at so many times the slack. */
const strength = 2

/** Whom a kind of evidence names: the images with a difference of the threshold or more. */
interface Naming {
  readonly differences: Float32Array
  readonly threshold: number
  readonly strong: boolean
}

/**
 * One score from several kinds of evidence: the largest W/t, with t the threshold of each kind that has one within the
 * tolerance, which holds for each kind by itself, and then raised to where there are few images. Where no kind has one, some may have
 * thresholds for single labels. Where there are none either it is W of the first kind, and no image is named.
 */
export function weigh(evidence: readonly Evidence[], tolerance: Tolerance): Required<Suspicion> {
  const remarks: string[] = []
  const found: Naming[] = []
  const faint: Evidence[] = []
  for (const kind of evidence) {
    const naming = nameBy(kind, tolerance)
    if (!naming) faint.push(kind)
    else if (naming.share <= largestShare) found.push(naming)
    else {
      const share = Math.round(100 * naming.share)
      remarks.push(`What ${share} % of the images have in common was taken for how they were made, not for a trigger`)
    }
  }
  const judged = evidence.length === 0 || remarks.length < evidence.length
  if (found.length === 0) found.push(...faint.flatMap(nameUnderLabels))
  const first = evidence[0]?.differences ?? new Float32Array()
  if (found.length === 0) {
    const threshold = first.reduce((a, b) => Math.max(a, b), 0)
    return { score: first, threshold, verdict: judged ? 'none' : 'not-judged', remarks }
  }
  const verdict = found.some(({ strong }) => strong) ? 'found' : 'weak'
  const score = first.map((_, i) =>
    found.reduce(
      (most, { differences, threshold }) => Math.max(most, (differences[i] as number) / threshold),
      -Infinity,
    ),
  )
  return { score, threshold: 1 - 2 ** -24, verdict, remarks } // the largest float32 below 1: named are those from 1 on
}

/** Undefined where there is no evidence of this kind. */
function nameBy({ differences, slack }: Evidence, tolerance: Tolerance): (Naming & { share: number }) | undefined {
  const thresholdAt = (slack: number) => knockoffThreshold(differences, { ...tolerance, slack })
  const countFrom = (threshold: number) => differences.filter((difference) => difference >= threshold).length
  const threshold = rarest(differences, thresholdAt(slack.toName))
  const named = countFrom(threshold)
  const convinces = (slack: number) => countFrom(thresholdAt(slack)) >= Math.max(1, convincing * named)
  if (!convinces(slack.toFind)) return undefined
  return { differences, threshold, strong: convinces(strength * slack.toFind), share: named / differences.length }
}

/** Differences over the thresholds of their labels, so that 1 is that of all; below 1 where a label has none. */
function nameUnderLabels({ differences, labels }: Evidence): Naming[] {
  if (!labels) return []
  const thresholds = thresholdsOfLabels(differences, labels)
  if (thresholds.size === 0) return []
  const beyond = 2 * differences.reduce((most, difference) => Math.max(most, Math.abs(difference)), 0)
  const relative = differences.map((difference, i) => difference / (thresholds.get(labels[i] as number) ?? beyond))
  return [{ differences: relative, threshold: 1, strong: false }]
}

const steps = 64
const nearby = 1.2
const few = 1.5

/**
 * The tolerance is an upper bound, and where poison stands far apart it is spent on clean images alone. So t is raised to
 * where images are rare, to twice itself at most, and not above half of the images beyond it: the first place with
 * at most 1.5 times as many within a factor of 1.2 as the rarest.
 */
function rarest(differences: Float32Array, t: number): number {
  const count = (from: number, to = Number.POSITIVE_INFINITY) =>
    differences.filter((difference) => difference >= from && difference < to).length
  const places = Array.from({ length: steps + 1 }, (_, k) => t * 2 ** (k / steps)).filter(
    (place) => 2 * count(place) >= count(t),
  )
  const around = places.map((place) => count(place / nearby, place * nearby))
  const fewest = Math.min(...around)
  return places[around.findIndex((each) => each <= few * fewest)] as number
}
