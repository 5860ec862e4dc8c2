import { existsSync, statSync } from 'node:fs'
import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { openRun } from '../experiment/record.ts'
import { type ExperimentResult, runExperiment } from '../experiment/run.ts'
import { runTraining, type TrainingResult } from '../experiment/train.ts'
import { inRun } from './session.ts'
import { describeResult } from './tables.ts'
import { describeTraining } from './train.ts'

export const resumeCommand = new Command('resume')
  .description('Go on with a run that was broken off, from its last checkpoint')
  .argument('<run>', "the run's directory")
  .option('--json', 'print one JSON object on standard output')
  .action(async (path: string, { json }) => {
    if (!existsSync(path) || !statSync(path).isDirectory())
      throw new UserError('usage', `Cannot resume '${path}': there is no such directory`)
    let kind = ''
    const result = await inRun(
      () => openRun(path),
      async (folder, listener) => {
        kind = folder.kind
        const finished = folder.readJson('result.json')
        if (finished) {
          listener.say('This run is finished; here is its result')
          return finished
        }
        return folder.kind === 'training' ? runTraining(folder, listener) : runExperiment(folder, listener)
      },
    )
    const text =
      kind === 'training' ? describeTraining(result as TrainingResult) : describeResult(result as ExperimentResult)
    process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${text}\n`)
  })
