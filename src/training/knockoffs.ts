/**
 * Knockoff+ (Barber and Candès 2015): from which difference on samples are named, where each had a knockoff, a counterpart
 * that differs from it by nothing but what is looked for. Without that the differences are as often negative as positive,
 * so that of those beyond t about as many are named wrongly as there are beyond −t: the smallest t > 0 with
 * (1 + #{W ≤ −t}) / #{W ≥ t} ≤ q. Infinite where there is none, as without anything to be found. Where much is found a
 * share of it is much as well, so that #{W ≤ −t} may not exceed `most` either.
 */
export function knockoffThreshold(differences: Float32Array, q: number, most = Number.POSITIVE_INFINITY): number {
  const order = Array.from(differences).sort((a, b) => Math.abs(b) - Math.abs(a))
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
