/** Otsu's threshold alone. */
export function otsuThreshold(values: Float32Array): number {
  return otsu(values).threshold
}

/**
 * The threshold that splits values into two groups with the largest variance between them (Otsu 1979), over 256 bins, and
 * how far the groups lie apart: the share η of the variance that lies between them, in [0, 1], 2/π for normally
 * distributed values. There always is a threshold: whether the groups mean anything is for the reader of the histogram.
 */
export function otsu(values: Float32Array): { threshold: number; separability: number } {
  const bins = 256
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  if (!(high > low)) return { threshold: high, separability: 0 }
  const counts = new Float64Array(bins)
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins))
    counts[bin] = (counts[bin] as number) + 1
  }
  const total = values.length
  const sum = counts.reduce((sum, count, bin) => sum + count * bin, 0)
  let below = 0
  let sumBelow = 0
  let best = { variance: -1, bin: 0 }
  for (let bin = 0; bin < bins - 1; bin++) {
    below += counts[bin] as number
    sumBelow += bin * (counts[bin] as number)
    const above = values.length - below
    if (below === 0 || above === 0) continue
    const variance = below * above * (sumBelow / below - (sum - sumBelow) / above) ** 2
    if (variance > best.variance) best = { variance, bin }
  }
  const mean = sum / total
  const spread = counts.reduce((sum, count, bin) => sum + count * (bin - mean) ** 2, 0)
  return {
    threshold: low + ((best.bin + 1) * (high - low)) / bins,
    separability: spread > 0 ? Math.min(1, best.variance / (total * spread)) : 0,
  }
}
