/** The places of numbers from the smallest to the largest, or from the largest; ties in their own order. */
export function argsort(values: ArrayLike<number>, { descending = false } = {}): Int32Array {
  const sign = descending ? -1 : 1
  const places = Int32Array.from({ length: values.length }, (_, i) => i)
  return places.sort((a, b) => sign * ((values[a] as number) - (values[b] as number)) || a - b)
}
