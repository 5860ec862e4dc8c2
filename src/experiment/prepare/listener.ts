import type { EpochMetrics, Progress } from '../../training/stage.ts'

/** Who is told how a run goes, and may stop it. */
export interface Listener {
  /** a sentence worth a line */
  say(line: string): void
  /** files read so far */
  reading(done: number, total: number): void
  /** images written so far */
  writing(done: number, total: number): void
  /** passes of images through a detector's model so far */
  scoring(done: number, total: number): void
  /** after every batch */
  progress(progress: Progress): void
  /** after every epoch */
  epoch(metrics: EpochMetrics): void
  /** true once the run shall save and stop */
  interrupted(): boolean
}

/** Tells nobody. */
export const silent: Listener = {
  say() {},
  reading() {},
  writing() {},
  scoring() {},
  progress() {},
  epoch() {},
  interrupted: () => false,
}
