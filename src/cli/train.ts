import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { createRun } from '../experiment/store/run-folder.ts'
import type { TrainingResult } from '../experiment/store/schema.ts'
import { runTraining, trainingDefaults, trainingSettings } from '../experiment/train.ts'
import type { Findings } from '../training/suspicion.ts'
import { printedConfiguration, readConfiguration, withSettings } from './configuration.ts'
import { dryRun } from './dry-run.ts'
import { inRun } from './session.ts'
import { percent, table } from './tables.ts'
import { saidOf } from './verdict.ts'

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
const without = ['data', 'dataset', ...attacking] as const // 'data' is an argument

export const trainCommand = withSettings(new Command('train'), { without, defaults: trainingDefaults })
  .argument('<data>', 'a folder of class folders, or of CIFAR-10 batches')
  .description('Train on your own images, trusting none of them: a model, and a list of suspicious images')
  .option('--dry-run', 'check everything, say what would be done, and stop')
  .addHelpText('after', '\nExample:\n  deconfound train photos/ --epochs 30')
  .action(async (data: string, options, command: Command) => {
    if (data.startsWith('--'))
      throw new UserError(
        'usage',
        `Cannot understand '${data}' here: options of entries come last, as in 'deconfound train photos/ --defense.bottleneck 0.001'`,
      )
    const rest = command.args.slice(1)
    const own = rest.find((word) => without.some((name) => word === `--${name}` || word.startsWith(`--${name}=`)))
    if (own)
      throw new UserError('usage', `Cannot use '${own}' with 'train', which poisons nothing: see 'deconfound run'`)
    const config = readConfiguration(command, rest, (given) => trainingSettings(data, given))
    if (printedConfiguration(command, config)) return
    if (options.dryRun) return dryRun(config, 'training', options)
    const result = await inRun(() => createRun(options.runs, 'training', config), runTraining)
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${describeTraining(result)}\n`)
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
  rows.push(['model', result.files.model])
  if (suspicion) {
    const { verdict, remarks } = suspicion
    rows.push(['flagged', found(suspicion, result)])
    rows.push(['verdict', `${verdict}: ${saidOf(verdict, result.trainingImages)}`])
    rows.push(...remarks.map((remark) => ['', remark]))
  }
  return table(rows)
}

/** Why a model that does not obey the trigger agrees with fewer held-out labels than one that does. */
function expectedGap(rate: number): string {
  return `if the flagged images are poisoned, about ${Math.max(1, Math.round(100 * rate))} % of these labels are false too: a good model disagrees with them`
}

function found(findings: Findings, { classes, files }: TrainingResult): string {
  const { flagged, estimatedRate, estimatedTarget } = findings
  if (flagged === 0) return `none flagged; all images ranked in ${files.suspects}`
  const rate = estimatedRate === null ? '' : ` (${percent(estimatedRate)})`
  const target = estimatedTarget === null ? 'of several labels' : `most labelled '${classes[estimatedTarget]}'`
  return `${flagged}${rate}, ${target}; marked 'yes' in ${files.suspects}`
}
