/** How many of the flagged images may be clean. */
export interface Tolerance {
  /** q, the share of the flagged images that may be clean, by the estimate below */
  readonly q: number
  /** how many flagged images may be clean, by the same estimate; no bound where absent */
  readonly maxFalse?: number
  /** s: a negative W counts as s·|W|; 1 where absent */
  readonly asymmetry?: number
}

/**
 * t = min { t > 0 : (1 + #{s·W ≤ −t}) / #{W ≥ t} ≤ q and #{s·W ≤ −t} ≤ maxFalse }, or ∞ where no t satisfies both.
 * Knockoff+ (Barber and Candès 2015), whose s is 1 and which has no second condition. `statistics`: W, one per image.
 *
 * A clean image is exchangeable with its counterpart, so its W is as often negative as positive. Hence #{W ≤ −t}
 * estimates how many clean images have W ≥ t. A factor s > 1 covers clean images whose W is not quite symmetric. The second
 * condition matters where many images are poisoned: a share q of many flagged images is many clean ones.
 */
export function knockoffThreshold(
  statistics: Float32Array,
  { q, maxFalse = Number.POSITIVE_INFINITY, asymmetry = 1 }: Tolerance,
): number {
  const compared = Array.from(statistics, (w) => (w < 0 ? asymmetry * w : w))
  const order = compared.sort((a, b) => Math.abs(b) - Math.abs(a))
  let threshold = Number.POSITIVE_INFINITY
  let [above, below] = [0, 0]
  for (const [k, w] of order.entries()) {
    if (w > 0) above++
    if (w < 0) below++
    const size = Math.abs(w)
    const tied = k + 1 < order.length && Math.abs(order[k + 1] as number) === size
    if (size > 0 && !tied && above > 0 && (1 + below) / above <= q && below <= maxFalse) threshold = size
  }
  return threshold
}
