/**
 * Area under the receiver operating characteristic: the chance that a positive scores above a negative, ties counting
 * half (Mann and Whitney 1947). Null where one side is empty.
 */
export function auroc(
  scores: Float32Array,
  positive: (i: number) => boolean,
  counted: (i: number) => boolean = () => true,
): number | null {
  const order = Array.from(scores.keys())
    .filter(counted)
    .sort((a, b) => (scores[a] as number) - (scores[b] as number))
  let positives = 0
  let ranks = 0
  for (let i = 0; i < order.length; ) {
    let end = i
    while (end < order.length && scores[order[end] as number] === scores[order[i] as number]) end++
    const rank = (i + 1 + end) / 2 // mean rank of the tie, from 1
    for (; i < end; i++) {
      if (!positive(order[i] as number)) continue
      positives++
      ranks += rank
    }
  }
  const negatives = order.length - positives
  return positives > 0 && negatives > 0 ? (ranks - (positives * (positives + 1)) / 2) / (positives * negatives) : null
}

export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return null
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

export function mean(values: readonly number[]): number | null {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null
}
