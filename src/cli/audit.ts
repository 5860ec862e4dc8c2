import { Command } from 'commander'
import { exitCode, UserError } from '../errors.ts'
import { auditSettings, runAudit, searching } from '../experiment/audit.ts'
import { createRun } from '../experiment/store/run-folder.ts'
import type { AuditResult } from '../experiment/store/schema.ts'
import { saidOf } from '../report/verdict.ts'
import { printedConfiguration, readConfiguration, recipe, withSettings } from './configuration.ts'
import { imagesArgument, refuseTwice } from './data-argument.ts'
import { withExamples } from './failure.ts'
import { inRun } from './session.ts'
import { percent, table } from './tables.ts'
import { print, printJson, shown, tell } from './terminal.ts'

const attacking = ['attack', 'rate', 'class-rate', 'target', 'labelling', 'clean-share', 'test-share'] as const
const example = 'deconfound audit photos/'

export const auditCommand = withExamples(
  withSettings(new Command('audit'), {
    without: ['dataset', 'reference', 'clean', ...attacking],
    quiet: ['data', 'model', 'epochs', ...recipe],
    defaults: { defense: 'deconfound', holdout: 0 },
  })
    .argument('[data]', imagesArgument)
    .option('--fail-on <share>', `exit with ${exitCode.suspects} where more than this share of the images is flagged`),
  example,
  'deconfound audit photos/ --json --fail-on 0.01',
).action(async (folder: string | undefined, options, command: Command) => {
  if (folder !== undefined) refuseTwice(command, folder)
  const most = options.failOn === undefined ? undefined : shareOf(options.failOn)
  const config = readConfiguration(command, (given) => {
    const data = folder ?? given.data
    if (typeof data === 'string' && data !== '') return auditSettings(data, given)
    throw new UserError('usage', `Cannot audit without images: name their folder, as in '${example}'`)
  })
  if (printedConfiguration(command, config)) return
  const result = await inRun(() => createRun(options.runs, 'audit', config), runAudit)
  if (options.json) printJson(result)
  else print(describeAudit(result))
  if (most === undefined || result.flaggedShare <= most) return
  tell(`${percent(result.flaggedShare)} of the images are flagged, more than ${percent(most)} (--fail-on)`, 'red')
  process.exitCode = exitCode.suspects
})
for (const option of auditCommand.options) {
  if (option.long === '--defense')
    option.description = `how images are searched, of ${searching.join(', ')} (default: deconfound)`
  if (option.long === '--holdout') option.description = 'share of each class that is not searched (default: 0)'
}

function shareOf(text: string): number {
  const share = Number(text)
  if (text.trim() !== '' && share >= 0 && share <= 1) return share
  throw new UserError('usage', `Cannot use --fail-on '${text}': give a share from 0 to 1, as in 0.01`)
}

/** An audit's result for a person. */
export function describeAudit(result: AuditResult): string {
  const { verdict, flagged, flaggedShare, flaggedLabel, trainingImages, skippedFiles, files, suspicion } = result
  const label = flaggedLabel === null ? 'of several labels' : `most labelled '${flaggedLabel}'`
  return table([
    ['images', String(trainingImages)],
    ['files skipped', String(skippedFiles.length)],
    ['flagged', flagged === 0 ? 'none' : `${flagged} (${percent(flaggedShare)}), ${label}`],
    ['verdict', `${verdict}: ${saidOf(verdict, trainingImages)}`],
    ...suspicion.remarks.map((remark) => ['', remark]),
    ['all images ranked', shown(files.suspects)],
    ['the same as JSON lines', shown(files.suspectsLines)],
    ['report', shown(files.report)],
  ])
}
