import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { UserError } from '../errors.ts'
import { experimentOf, readPlans, type SweepPlan } from '../experiment/store/sweep-plan.ts'
import type { RunState } from './answers.ts'
import type { IndexedRun, RunIndex } from './run-index.ts'
import { readMetricsFrom } from './run-metrics.ts'

/** Where runs lie, and records where those of a folder are to be shown. */
export interface Folders {
  readonly runs: string
  readonly records?: string | undefined
}

/** An experiment: recorded, at work, broken off, or of a sweep and not begun yet. */
export interface Experiment {
  readonly settings: Readonly<Record<string, unknown>>
  readonly state: RunState | 'waiting'
  readonly cleanAccuracy: number | null
  readonly attackSuccessRate: number | null
  /** how far it is, in words; empty where it has ended */
  readonly progress: string
}

/** Those among the runs, or the recorded ones and the unfinished ones of their sweep; and what sweeps have not begun. */
export function experimentsOf(index: RunIndex, { runs: folder, records }: Folders): Experiment[] {
  const { runs } = index.list(0, Number.POSITIVE_INFINITY)
  const experiments = runs.filter(({ listed }) => listed.kind === 'experiment' && listed.settings !== null)
  const plans = readPlans(folder)
  if (records === undefined) {
    const recorded = plans.flatMap(({ record }) => readRecords(record, true).map(({ name }) => name)) // their runs may be gone
    const begun = [...new Set([...experiments.map(({ line }) => line.name), ...recorded])]
    return [...experiments.map(ofRun), ...waiting(plans, begun)]
  }
  const plan = plans.filter(({ record }) => record === resolve(records))
  const recorded = readRecords(records, plan.length > 0)
  const planned = new Set(plan.flatMap(({ cells }) => cells.map(({ name }) => name)))
  const open = experiments.filter(({ line: { state, name } }) => {
    const ofSweep = planned.has(experimentOf(name) ?? '')
    return state === 'training' || (state !== 'finished' && ofSweep)
  })
  const begun = [...recorded.map(({ name }) => name), ...open.map(({ line }) => line.name)]
  return [...recorded.map(({ experiment }) => experiment), ...open.map(ofRun), ...waiting(plan, begun)]
}

/** Experiments of sweeps that have neither a record nor a run, by the names of these. */
function waiting(plans: readonly SweepPlan[], begun: readonly string[]): Experiment[] {
  const left = begun.map(experimentOf)
  return plans.flatMap(({ cells }) =>
    cells.flatMap(({ name, settings }): Experiment[] => {
      const found = left.indexOf(name)
      if (found === -1) return [{ ...unknown, settings, state: 'waiting' }]
      left.splice(found, 1) // the same on other data, or in another precision, is an experiment of its own
      return []
    }),
  )
}

const unknown = { cleanAccuracy: null, attackSuccessRate: null, progress: '' } as const

function ofRun(run: IndexedRun): Experiment {
  const { state, cleanAccuracy, attackSuccessRate } = run.line
  const progress = state === 'training' ? progressOf(run) : ''
  return { settings: run.listed.settings ?? {}, state, cleanAccuracy, attackSuccessRate, progress }
}

function progressOf(run: IndexedRun): string {
  const { stage, epoch } = readMetricsFrom(run, 0).lines.findLast((each) => each.stage !== undefined) ?? {}
  return typeof epoch === 'number' ? `${stage}, epoch ${epoch + 1}` : 'begun'
}

/** A recorded experiment, and its name, which is its run's as well. */
interface Recorded {
  readonly name: string
  readonly experiment: Experiment
}

/** Records of a folder, which need not be there where a sweep has just begun. */
function readRecords(folder: string, begun: boolean): Recorded[] {
  if (begun && !existsSync(folder)) return []
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError('usage', 'Cannot show the records: their folder is not there (any more)')
  }
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return names.sort().flatMap((name) => readRecord(folder, name))
}

/** None where the file is no record: what else lies in the folder is not the page's matter. */
function readRecord(folder: string, name: string): Recorded[] {
  try {
    const { config, result } = JSON.parse(readFileSync(join(folder, name), 'utf8'))
    const { cleanAccuracy, attackSuccessRate = null } = result
    if (typeof config?.attack !== 'string' || typeof cleanAccuracy !== 'number') return []
    const experiment = { settings: config, state: 'finished', cleanAccuracy, attackSuccessRate, progress: '' } as const
    return [{ name: basename(name, '.json'), experiment }]
  } catch {
    return []
  }
}
