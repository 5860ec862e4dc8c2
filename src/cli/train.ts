import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { createRun } from '../experiment/store/run-folder.ts'
import type { TrainingResult } from '../experiment/store/schema.ts'
import { runTraining, trainingDefaults, trainingSettings } from '../experiment/train.ts'
import { saidOf } from '../report/verdict.ts'
import type { Findings } from '../training/suspicion.ts'
import { printedConfiguration, readConfiguration, withSettings } from './configuration.ts'
import { imagesArgument, refuseTwice } from './data-argument.ts'
import { dryRun } from './dry-run.ts'
import { withExamples } from './failure.ts'
import { inRun } from './session.ts'
import { percent, table } from './tables.ts'
import { print, printJson, shown } from './terminal.ts'

const attacking = [
  'attack',
  'rate',
  'class-rate',
  'target',
  'labelling',
  'clean-share',
  'test-share',
  'reference',
] as const
const example = 'deconfound train photos/ --epochs 30'

export const trainCommand = withExamples(
  withSettings(new Command('train'), {
    without: ['dataset', ...attacking],
    quiet: ['data'], // the argument under another name
    defaults: trainingDefaults,
  })
    .argument('[data]', imagesArgument)
    .option('--dry-run', 'check everything, say what would be done, and stop'),
  example,
).action(async (folder: string | undefined, options, command: Command) => {
  if (folder !== undefined) refuseTwice(command, folder)
  const config = readConfiguration(command, (given) => {
    const data = folder ?? given.data
    if (typeof data === 'string' && data !== '') return trainingSettings(data, given)
    throw new UserError('usage', `Cannot train without images: name their folder, as in '${example}'`)
  })
  if (printedConfiguration(command, config)) return
  if (options.dryRun) return dryRun(config, 'training', options)
  const result = await inRun(() => createRun(options.runs, 'training', config), runTraining)
  if (options.json) printJson(result)
  else print(describeTraining(result))
})

/** A training's result for a person. */
export function describeTraining(result: TrainingResult): string {
  const { suspicion, heldOutImages, testImages } = result
  const rows = [
    [
      'images',
      `${result.trainingImages}${heldOutImages > 0 ? `, and ${heldOutImages} held out, which are not searched` : ''}`,
    ],
    ['files skipped', String(result.skippedFiles.length)],
  ]
  if (heldOutImages > 0)
    rows.push([
      'held-out agreement',
      `${percent(result.heldOutAgreement)} of ${heldOutImages} images, whose labels are as untrusted as the rest`,
    ])
  if (suspicion?.estimatedRate && heldOutImages > 0) rows.push(['', expectedGap(suspicion.estimatedRate)])
  if (testImages > 0)
    rows.push(['test agreement', `${percent(result.testAgreement)} of ${testImages} images of its test folder`])
  rows.push(['model', shown(result.files.model)])
  if (suspicion) {
    const { verdict, remarks } = suspicion
    rows.push(['flagged', found(suspicion, result)])
    if (result.files.picture)
      rows.push(['picture', `${shown(result.files.picture)}: the images with the highest scores`])
    rows.push(['verdict', `${verdict}: ${saidOf(verdict, result.trainingImages)}`])
    rows.push(...remarks.map((remark) => ['', remark]))
    if (suspicion.flagged > 0)
      rows.push(['to set them aside', `deconfound suspects ${shown(result.run)} --move-to FOLDER`])
  }
  if (result.files.report) rows.push(['report', shown(result.files.report)])
  return table(rows)
}

/** Why a model that does not obey the trigger agrees with fewer held-out labels than one that does. */
function expectedGap(rate: number): string {
  return `if the flagged images are poisoned, about ${Math.max(1, Math.round(100 * rate))} % of these labels are false too: a good model disagrees with them`
}

function found(findings: Findings, { classes, files }: TrainingResult): string {
  const { flagged, estimatedRate, estimatedTarget } = findings
  const list = shown(files.suspects ?? '')
  if (flagged === 0) return `none flagged; all images ranked in ${list}`
  const rate = estimatedRate === null ? '' : ` (${percent(estimatedRate)})`
  const target = estimatedTarget === null ? 'of several labels' : `most labelled '${classes[estimatedTarget]}'`
  return `${flagged}${rate}, ${target}; marked 'yes' in ${list}`
}
