/** What may be wrong among what is named. */
export interface Tolerance {
  /** share of the named that may be named wrongly */
  readonly q: number
  /** how many may be named wrongly at most, by the same estimate; any number where absent */
  readonly most?: number
  /** s, how many times their size negative differences count for; 1 where absent */
  readonly slack?: number
}

/**
 * Knockoff+ (Barber and Candès 2015): from which difference on samples are named, where each had a knockoff, a counterpart
 * that differs from it by nothing but what is looked for. Without that the differences are as often negative as positive,
 * so that of those beyond t about as many are named wrongly as there are beyond −t: the smallest t > 0 with
 * (1 + #{s·W ≤ −t}) / #{W ≥ t} ≤ q. Infinite where there is none, as without anything to be found. Where much is found a
 * share of it is much as well, so that #{s·W ≤ −t} may not exceed `most` either. Where counterparts are alike only by and
 * large, differences lean to one side and s > 1 makes up for it.
 */
export function knockoffThreshold(
  differences: Float32Array,
  { q, most = Number.POSITIVE_INFINITY, slack = 1 }: Tolerance,
): number {
  const compared = Array.from(differences, (difference) => (difference < 0 ? slack * difference : difference))
  const order = compared.sort((a, b) => Math.abs(b) - Math.abs(a))
  let threshold = Number.POSITIVE_INFINITY
  let [above, below] = [0, 0]
  for (const [k, difference] of order.entries()) {
    if (difference > 0) above++
    if (difference < 0) below++
    const size = Math.abs(difference)
    const tied = k + 1 < order.length && Math.abs(order[k + 1] as number) === size
    if (size > 0 && !tied && above > 0 && (1 + below) / above <= q && below <= most) threshold = size
  }
  return threshold
}
