import { UserError } from '../errors.ts'
import { runAudit } from './audit.ts'
import type { Listener } from './prepare/listener.ts'
import { runRepair } from './repair.ts'
import { runExperiment } from './run.ts'
import { readResult } from './store/records.ts'
import type { RunFolder } from './store/run-folder.ts'
import {
  type AuditResult,
  auditSchema,
  type ExperimentResult,
  experimentSchema,
  type RepairResult,
  repairSchema,
  type TrainingResult,
  trainingSchema,
} from './store/schema.ts'
import { runTraining } from './train.ts'

/** The result of a run of whatever kind. */
export type RunResult = ExperimentResult | TrainingResult | AuditResult | RepairResult

/** Goes on with a run of any kind; a finished one gives its result again and is not touched. */
export async function resumeRun(folder: RunFolder, listener: Listener): Promise<RunResult> {
  if (folder.kind === 'tuning') {
    const remedy = "give the 'tune' command again, with the same --runs"
    throw new UserError('usage', `Cannot resume '${folder.path}': it is a search over settings; ${remedy}`)
  }
  if (folder.kind === 'experiment') return goOnWithExperiment(folder, listener)
  const finished = finishedResult(folder, listener)
  if (folder.kind === 'repair')
    return finished === undefined ? runRepair(folder, listener) : readResult(repairSchema, finished)
  if (folder.kind === 'audit')
    return finished === undefined ? runAudit(folder, listener) : readResult(auditSchema, finished)
  return finished === undefined ? runTraining(folder, listener) : readResult(trainingSchema, finished)
}

/** The same for an experiment. */
export async function goOnWithExperiment(folder: RunFolder, listener: Listener): Promise<ExperimentResult> {
  const finished = finishedResult(folder, listener)
  return finished === undefined ? runExperiment(folder, listener) : readResult(experimentSchema, finished)
}

function finishedResult(folder: RunFolder, listener: Listener): unknown {
  const finished = folder.readJson('result.json')
  if (finished !== undefined) listener.say('This run is finished; here is its result')
  return finished
}
