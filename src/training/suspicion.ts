/** How suspicious each training image is, by what a defense learned or a detector measured. */
export interface Suspicion {
  /** one per training image; higher is more suspicious */
  readonly score: Float32Array
  /** images scoring above it are named suspects */
  readonly threshold: number
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
