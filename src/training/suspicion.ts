import { argsort } from './argsort.ts'

/**
 * Whether images are poisoned: `found` or `weak` evidence that some are, `none`, or `not-judged` where a method only
 * ranks the images, or could not tell.
 */
export const verdicts = ['found', 'weak', 'none', 'not-judged'] as const
export type Verdict = (typeof verdicts)[number]

/** How suspicious each training image is, by what a defense learned or a detector measured. */
export interface Suspicion {
  /** one per training image; higher is more suspicious */
  readonly score: Float32Array
  /** images scoring above it are flagged */
  readonly threshold: number
  readonly verdict: Verdict
  /** what to know before relying on it, a sentence each */
  readonly remarks?: readonly string[]
}

/** What a suspicion amounts to. */
export interface Findings {
  readonly verdict: Verdict
  /** images flagged */
  readonly flagged: number
  /** share of the images that are flagged, where that is an estimate of the poisoning rate; null where nothing was judged */
  readonly estimatedRate: number | null
  /** the label that most of the suspects carry: an estimate of the target; null where it has no more than half of them */
  readonly estimatedTarget: number | null
  /** what to know before relying on it, a sentence each */
  readonly remarks: readonly string[]
}

export function findings({ score, threshold, verdict, remarks = [] }: Suspicion, labels: Int32Array): Findings {
  const suspected = labels.filter((_, i) => (score[i] as number) > threshold)
  const counts = new Map<number, number>()
  for (const label of suspected) counts.set(label, (counts.get(label) ?? 0) + 1)
  const [target] = Array.from(counts).find(([, count]) => 2 * count > suspected.length) ?? [null]
  return {
    verdict,
    flagged: suspected.length,
    estimatedRate: verdict === 'not-judged' ? null : suspected.length / Math.max(1, labels.length),
    estimatedTarget: target,
    remarks,
  }
}

/** The share of images with the highest scores, the others, and a threshold between them. */
export function isolate(
  score: Float32Array,
  share: number,
): { isolated: Int32Array; others: Int32Array; threshold: number } {
  const order = argsort(score, { descending: true })
  const count = Math.max(1, Math.round(share * order.length))
  const at = (place: number) => score[order[Math.min(place, order.length - 1)] as number] as number
  return {
    isolated: order.slice(0, count).sort(),
    others: order.slice(count).sort(),
    threshold: (at(count - 1) + at(count)) / 2,
  }
}
