/** How suspicious each training image is, by what a defense learned or a detector measured. */
export interface Suspicion {
  /** one per training image; higher is more suspicious */
  readonly score: Float32Array
  /** images scoring above it are named suspects */
  readonly threshold: number
  /** what to know before relying on it, a sentence each */
  readonly remarks?: readonly string[]
}

/** What a suspicion amounts to. */
export interface Findings {
  /** images named; see `noEvidence` for what 0 says */
  readonly suspects: number
  /** share of the images that are named: an estimate of the poisoning rate */
  readonly estimatedRate: number
  /** the label that most of the suspects carry: an estimate of the target; null where it has no more than half of them */
  readonly estimatedTarget: number | null
  /** what to know before relying on it, a sentence each */
  readonly remarks: readonly string[]
}

/** What a suspicion remarks that names none because it could not tell. */
export const notJudged =
  'Nothing could be judged: that no image is named says nothing about these data. The model learned from all of them; another --defense may tell'

/** Whether that none is named means that there is no evidence of poisoning; findings of older versions have no remarks. */
export function noEvidence({ suspects, remarks = [] }: { suspects: number; remarks?: readonly string[] }): boolean {
  return suspects === 0 && !remarks.includes(notJudged)
}

export function findings({ score, threshold, remarks = [] }: Suspicion, labels: Int32Array): Findings {
  const suspected = labels.filter((_, i) => (score[i] as number) > threshold)
  const counts = new Map<number, number>()
  for (const label of suspected) counts.set(label, (counts.get(label) ?? 0) + 1)
  const [target] = Array.from(counts).find(([, count]) => 2 * count > suspected.length) ?? [null]
  return {
    suspects: suspected.length,
    estimatedRate: suspected.length / Math.max(1, labels.length),
    estimatedTarget: target,
    remarks,
  }
}

/** The share of images with the highest scores, the others, and a threshold between them. */
export function isolate(
  score: Float32Array,
  share: number,
): { isolated: Int32Array; others: Int32Array; threshold: number } {
  const order = Int32Array.from(score.keys()).sort((a, b) => (score[b] as number) - (score[a] as number) || a - b)
  const count = Math.max(1, Math.round(share * order.length))
  const at = (place: number) => score[order[Math.min(place, order.length - 1)] as number] as number
  return {
    isolated: order.slice(0, count).sort(),
    others: order.slice(count).sort(),
    threshold: (at(count - 1) + at(count)) / 2,
  }
}
