/** How suspicious each training image is, by what a defense learned or a detector measured. */
export interface Suspicion {
  /** one per training image; higher is more suspicious */
  readonly score: Float32Array
  /** images scoring above it are named suspects */
  readonly threshold: number
}
