import { existsSync, statSync } from 'node:fs'
import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { resumeRun } from '../experiment/resume.ts'
import { writeRecord } from '../experiment/store/records.ts'
import { openRun } from '../experiment/store/run-folder.ts'
import { describeAudit } from './audit.ts'
import { withExamples } from './failure.ts'
import { describeRepair } from './repair.ts'
import { inRun } from './session.ts'
import { describeResult } from './tables.ts'
import { print, printJson } from './terminal.ts'
import { describeTraining } from './train.ts'

export const resumeCommand = withExamples(
  new Command('resume')
    .argument('<run>', "the run's directory")
    .option('--record <folder>', "keep an experiment's result as a small file there")
    .option('--json', 'print one JSON object on standard output'),
  'deconfound resume runs/…',
).action(async (path: string, { json, record }) => {
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
  if (json) printJson(result)
  else if ('cleanAccuracy' in result) print(describeResult(result))
  else if ('givenHash' in result) print(describeRepair(result))
  else print('flaggedShare' in result ? describeAudit(result) : describeTraining(result))
})
