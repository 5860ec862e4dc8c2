import { quiet, type Reporter } from '../../training/reporter.ts'
import type { RunFolder } from '../store/run-folder.ts'

/** Who is told how a run goes, and may stop it. */
export interface Listener extends Reporter {
  /** files read so far */
  reading(done: number, total: number): void
  /** bytes downloaded so far */
  fetching(done: number, total: number): void
  /** images written so far */
  writing(done: number, total: number): void
  /** passes of images through a detector's model so far */
  scoring(done: number, total: number): void
}

/** The listener, with the metrics of each epoch kept in the run's directory first. */
export function keepingMetrics(folder: Pick<RunFolder, 'appendMetrics'>, listener: Listener): Listener {
  return {
    ...listener,
    epoch(metrics) {
      folder.appendMetrics(metrics)
      listener.epoch(metrics)
    },
  }
}

/** Tells nobody. */
export const silent: Listener = {
  ...quiet,
  reading() {},
  fetching() {},
  writing() {},
  scoring() {},
}
