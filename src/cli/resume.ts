import { existsSync, statSync } from 'node:fs'
import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { resumeRun } from '../experiment/resume.ts'
import { writeRecord } from '../experiment/store/records.ts'
import { openRun } from '../experiment/store/run-folder.ts'
import { inRun } from './session.ts'
import { describeResult } from './tables.ts'
import { describeTraining } from './train.ts'

export const resumeCommand = new Command('resume')
  .description('Go on with a run that was broken off, from its last checkpoint')
  .argument('<run>', "the run's directory")
  .option('--record <folder>', "keep an experiment's result as a small file there")
  .option('--json', 'print one JSON object on standard output')
  .action(async (path: string, { json, record }) => {
    if (!existsSync(path) || !statSync(path).isDirectory()) {
      throw new UserError('usage', `Cannot resume '${path}': there is no such directory`)
    }
    const result = await inRun(
      () => openRun(path),
      async (folder, listener) => {
        const done = await resumeRun(folder, listener)
        if (record && 'cleanAccuracy' in done) writeRecord(record, folder, done)
        return done
      },
    )
    const text = 'cleanAccuracy' in result ? describeResult(result) : describeTraining(result)
    process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${text}\n`)
  })
