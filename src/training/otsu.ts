/**
 * The threshold that splits values into two groups with the largest variance between them (Otsu 1979), over 256 bins.
 * It always finds one: whether the two groups mean anything is for the reader of the histogram.
 */
export function otsuThreshold(values: Float32Array): number {
  const bins = 256
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  if (!(high > low)) return high
  const counts = new Float64Array(bins)
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins))
    counts[bin] = (counts[bin] as number) + 1
  }
  const total = counts.reduce((sum, count, bin) => sum + count * bin, 0)
  let below = 0
  let sumBelow = 0
  let best = { variance: -1, bin: 0 }
  for (let bin = 0; bin < bins - 1; bin++) {
    below += counts[bin] as number
    sumBelow += bin * (counts[bin] as number)
    const above = values.length - below
    if (below === 0 || above === 0) continue
    const variance = below * above * (sumBelow / below - (total - sumBelow) / above) ** 2
    if (variance > best.variance) best = { variance, bin }
  }
  return low + ((best.bin + 1) * (high - low)) / bins
}
