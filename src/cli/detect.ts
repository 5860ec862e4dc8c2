import { Command, Option } from 'commander'
import { detectors } from '../detectors/index.ts'
import { UserError } from '../errors.ts'
import {
  type DetectionResult,
  detectionSettings,
  detectPoison,
  resolveDetection,
} from '../experiment/measure/detect.ts'
import { describeOptions, parseFlag } from '../experiment/settings/config.ts'
import { readWords } from './configuration.ts'
import { withListener } from './session.ts'
import { percent, suspicionRows, table } from './tables.ts'

const settings = describeOptions(detectionSettings)

export const detectCommand = new Command('detect')
  .argument('<run>', "a finished experiment's directory")
  .description('Look for the poison of an experiment with the model it trained, and compare with the truth')
  .allowUnknownOption()
  .allowExcessArguments()
  .addHelpText('after', entryHelp)
  .action(async (run: string, flags: Record<string, unknown>, command: Command) => {
    if (run.startsWith('--'))
      throw new UserError(
        'usage',
        `Cannot understand '${run}' here: options of entries come last, as in 'deconfound detect runs/… --detector strip --detector.superpositions 20'`,
      )
    const words = settings.flatMap(({ name }) => {
      const value = flags[name]
      return typeof value === 'string' ? [[name, name === 'data' ? value : parseFlag(value)] as const] : []
    })
    const given = { ...Object.fromEntries(words), ...readWords(command.args.slice(1)) }
    const detection = resolveDetection(given, 'the command line')
    const result = await withListener((listener) => detectPoison(run, detection, listener))
    process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${describe(result)}\n`)
  })
for (const { name, default: standard, description, choices } of settings) {
  const option = new Option(`--${name} <value>`, description + (standard === null ? '' : ` (default: ${standard})`))
  detectCommand.addOption((choices ? option.choices(choices) : option).makeOptionMandatory(name === 'detector'))
}
detectCommand.option('--json', 'print one JSON object on standard output')

function describe(result: DetectionResult): string {
  const { detector, images, poisonedImages, aurocRelabelled, threshold, seconds, run } = result
  const rows = [
    ['images', String(images), `${poisonedImages} of them poisoned, ${percent(poisonedImages / images)}`],
    ['threshold', String(Number(threshold.toPrecision(4))), `of ${detector}: images scoring above it are flagged`],
    ...suspicionRows(result),
    ['  of relabelled images', aurocRelabelled === null ? '–' : aurocRelabelled.toFixed(3), ''],
    ['seconds', seconds.toFixed(1), ''],
  ]
  return `${table(rows)}\n${run}`
}

function entryHelp(): string {
  const lines = Object.entries(detectors).flatMap(([entry, { options }]) =>
    describeOptions(options, 'detector.').map(
      ({ name, default: standard, description }) =>
        `  --${name} (${entry})`.padEnd(52) + description + (standard === null ? '' : ` (default: ${standard})`),
    ),
  )
  return `\nOptions of detectors:\n${lines.join('\n')}\n\nExample:\n  deconfound detect runs/… --detector spectral-signatures --detector.epsilon 0.2`
}
