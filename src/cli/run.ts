import { Command } from 'commander'
import { identify } from '../experiment/prepare/data.ts'
import type { Listener } from '../experiment/prepare/listener.ts'
import { runExperiment } from '../experiment/run.ts'
import type { Config } from '../experiment/settings/config.ts'
import { readRecord, writeRecord } from '../experiment/store/records.ts'
import { createRun, type RunFolder } from '../experiment/store/run-folder.ts'
import { printedConfiguration, readConfiguration, withSettings } from './configuration.ts'
import { dryRun } from './dry-run.ts'
import { withExamples } from './failure.ts'
import { inRun, withListener } from './session.ts'
import { describeResult } from './tables.ts'
import { print, printJson, tell } from './terminal.ts'

export const runCommand = withExamples(
  withSettings(new Command('run'), { without: ['holdout', 'clean', 'without'] })
    .option('--dry-run', 'check everything, say what would be done, and stop')
    .option('--record <folder>', 'keep the result as a small file there; where it is kept already, do nothing'),
  'deconfound run --attack badnets --defense cbd',
  'deconfound run --dataset cifar10 --data data/cifar-10-batches-py --attack blend --attack.opacity 0.1 --epochs 8 --json',
).action(async (options, command: Command) => {
  const config = readConfiguration(command)
  if (printedConfiguration(command, config)) return
  if (options.dryRun) return dryRun(config, 'experiment', options)
  const recorded = options.record && (await withListener((listener) => recordOf(options.record, config, listener)))
  if (recorded) tell(`Recorded in '${options.record}' already: nothing to do`)
  const result =
    recorded ?? (await inRun(() => createRun(options.runs, 'experiment', config), recording(options.record)))
  if (options.json) printJson(result)
  else print(describeResult(result))
})

/** An experiment whose result is also kept in the folder `results`, where one is named. */
export function recording(results: string | undefined) {
  return async (folder: RunFolder, listener: Listener) => {
    const result = await runExperiment(folder, listener)
    if (results) writeRecord(results, folder, result)
    return result
  }
}

async function recordOf(results: string, config: Config, listener: Listener) {
  const quiet = { ...listener, say() {} } // the run tells of its data itself
  return readRecord(results, config, await identify(config, quiet))
}
