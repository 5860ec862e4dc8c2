import { argsort } from '../../training/argsort.ts'

/**
 * Area under the receiver operating characteristic: the chance that a positive scores above a negative, ties counting
 * half (Mann and Whitney 1947). Null where one side is empty, or a score is NaN, which has no place in an order.
 */
export function auroc(
  scores: Float32Array,
  positive: (i: number) => boolean,
  counted: (i: number) => boolean = () => true,
): number | null {
  const order = Array.from(argsort(scores)).filter(counted)
  if (order.some((i) => Number.isNaN(scores[i]))) return null
  let positives = 0
  let ranks = 0
  for (let i = 0; i < order.length; ) {
    let end = i + 1
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

/** A mean over runs; `margin` is half of its 95 % interval by Student's t, null for a single run. */
export interface Estimate {
  readonly mean: number
  readonly margin: number | null
  readonly runs: number
}

/** Null without values. */
export function estimate(values: readonly number[]): Estimate | null {
  const center = mean(values)
  if (center === null) return null
  const n = values.length
  if (n < 2) return { mean: center, margin: null, runs: n }
  const variance = values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (n - 1)
  const t = studentQuantiles[n - 2] ?? 2.045 // at most that from 30 runs on
  return { mean: center, margin: t * Math.sqrt(variance / n), runs: n }
}

/** 97.5 % quantiles of Student's t for 1, 2, … 29 degrees of freedom. */
const studentQuantiles = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045,
]
