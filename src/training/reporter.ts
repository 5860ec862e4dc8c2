import type { EpochMetrics, Progress } from './stage.ts'

/** Who is told how a training goes, and may stop it. */
export interface Reporter {
  /** a sentence worth a line */
  say(line: string): void
  /** after every batch */
  progress(progress: Progress): void
  /** after every epoch */
  epoch(metrics: EpochMetrics): void
  /** true once the training shall save and stop */
  interrupted(): boolean
}

/** Tells nobody. */
export const quiet: Reporter = {
  say() {},
  progress() {},
  epoch() {},
  interrupted: () => false,
}
