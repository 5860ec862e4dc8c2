import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { createRun, recordPath, writeRecord } from '../experiment/record.ts'
import { runExperiment } from '../experiment/run.ts'
import { printedConfiguration, readConfiguration, withSettings } from './configuration.ts'
import { dryRun } from './dry-run.ts'
import { inRun } from './session.ts'
import { describeResult } from './tables.ts'

export const runCommand = withSettings(new Command('run'), { without: ['holdout'] })
  .description('An experiment with known truth: poison a data set, train by a defense, measure')
  .option('--dry-run', 'check everything, say what would be done, and stop')
  .option('--record <folder>', 'keep the result as a small file there; where it is kept already, do nothing')
  .addHelpText(
    'after',
    '\nExamples:\n  deconfound run --attack badnets --defense cbd\n  deconfound run --dataset cifar10 --data data/cifar-10-batches-py --attack blend --attack.opacity 0.1 --epochs 8 --json',
  )
  .action(async (options, command: Command) => {
    const config = readConfiguration(command, command.args)
    if (printedConfiguration(command, config)) return
    if (options.dryRun) return dryRun(config, options)
    if (options.record && existsSync(recordPath(options.record, config))) {
      process.stderr.write(`Already recorded in ${recordPath(options.record, config)}: nothing to do\n`)
      return
    }
    const result = await inRun(
      () => createRun(options.runs, 'experiment', config),
      async (folder, listener) => {
        const finished = await runExperiment(folder, listener)
        if (options.record) writeRecord(options.record, folder, finished)
        return finished
      },
    )
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${describeResult(result)}\n`)
  })
