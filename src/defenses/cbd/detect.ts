import { otsu, otsuThreshold } from '../../training/otsu.ts'
import type { Suspicion } from '../../training/suspicion.ts'

// What f_B learned before anything else is what a trigger teaches. So f_B's loss ranks the images: the lower, the more
// suspicious. A ranking has a lower end on clean data too. What tells poison is that the low losses gather under one
// label, the attacker's target, and last: of a clean class that is easy f_B knows many images now and then, and few all the time.

/** A loss is low below this share of that of guessing, ln C. */
const lowShare = 0.01 / Math.log(10)
/** Labels differ by chance: so much of each label's images may have low losses (at most 0.6 % of CIFAR-10's). */
const usual = 0.01
/** Fewer low losses than this under a label say nothing. */
const fewest = 10
/** A label stands out whose share of low losses is so many times what is usual: for a finding, and for a weak one. */
const factors = { found: 5, weak: 2.5 }

/** What is known of the images whose losses are judged. */
export interface Judged {
  readonly labels: Int32Array
  readonly classes: number
  /** of each image the loss that lasted, over all looks; by these a label stands out */
  readonly lasting: Float32Array
}

/** Flagged are, under the labels that stand out, the images of the lower group of log ℓ_B (Otsu). */
export function detect(losses: Float32Array, { labels, classes, lasting }: Judged): Suspicion {
  const present = [...new Set(labels)]
  if (present.length < 2) return rank(losses)
  const score = scoresOf(losses)
  const low = lowShare * Math.log(classes)
  const shares = present.map((label) => {
    const members = Int32Array.from(labels.keys()).filter((i) => labels[i] === label)
    const count = members.filter((i) => (lasting[i] as number) < low).length
    return { label, share: count < fewest ? 0 : count / members.length }
  })
  const sorted = shares.map(({ share }) => share).sort((a, b) => a - b)
  const expected = Math.max(usual, sorted[(sorted.length - 1) >> 1] as number)
  const beyond = (factor: number) => shares.filter(({ share }) => share >= factor * expected).map(({ label }) => label)
  const found = beyond(factors.found)
  const standingOut = found.length > 0 ? found : beyond(factors.weak)
  if (standingOut.length === 0) return { score, threshold: highest(score), verdict: 'none' }
  const thresholds = new Map(
    standingOut.map((label) => [label, otsuThreshold(score.filter((_, i) => labels[i] === label))]),
  )
  // One threshold for all: scores count from that of their label, and stay below it where a label does not stand out.
  const most = Math.max(...thresholds.values())
  const relative = score.map((value, i) => {
    const threshold = thresholds.get(labels[i] as number)
    return threshold === undefined ? Math.min(value - most, 0) : value - threshold
  })
  return { score: relative, threshold: 0, verdict: found.length > 0 ? 'found' : 'weak' }
}

/** Images ranked by f_B's losses, and none flagged: nothing is judged. */
export function rank(losses: Float32Array): Suspicion {
  const score = scoresOf(losses)
  return { score, threshold: highest(score), verdict: 'not-judged' }
}

/** How far f_B's losses fall into two groups, in [0, 1]: Otsu's separability of log ℓ_B. Needs no clean images. */
export function separation(losses: Float32Array): number {
  return otsu(scoresOf(losses)).separability
}

/** −log ℓ_B. */
const scoresOf = (losses: Float32Array) => losses.map((loss) => -Math.log(Math.max(1e-12, loss)))

const highest = (values: Float32Array) =>
  values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
