import { UserError } from '../errors.ts'
import type { Listener } from './prepare/listener.ts'
import { type ExperimentResult, runExperiment } from './run.ts'
import { withVerdict } from './store/records.ts'
import type { RunFolder } from './store/run-folder.ts'
import { runTraining, type TrainingResult } from './train.ts'

/** Goes on with a run of either kind; a finished one gives its result again and is not touched. */
export async function resumeRun(folder: RunFolder, listener: Listener): Promise<ExperimentResult | TrainingResult> {
  if (folder.kind === 'tuning') {
    const remedy = "give the 'tune' command again, with the same --runs"
    throw new UserError('usage', `Cannot resume '${folder.path}': it is a search over settings; ${remedy}`)
  }
  const finished = folder.readJson('result.json') as ExperimentResult | TrainingResult | undefined
  if (finished) {
    listener.say('This run is finished; here is its result')
    return withVerdict(finished)
  }
  return folder.kind === 'training' ? runTraining(folder, listener) : runExperiment(folder, listener)
}
