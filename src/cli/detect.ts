import { Command } from 'commander'
import { detectors } from '../detectors/index.ts'
import {
  type DetectionResult,
  detectionSettings,
  detectPoison,
  resolveDetection,
} from '../experiment/measure/detect.ts'
import { describeOptions } from '../experiment/settings/describe-options.ts'
import { parseFlag } from '../experiment/settings/flag.ts'
import { withExamples } from './failure.ts'
import { foreignReading, withForeign } from './foreign.ts'
import { entryOptions, flagFor, withEntryOptions } from './options.ts'
import { withListener } from './session.ts'
import { percent, suspicionRows, table } from './tables.ts'
import { print, printJson } from './terminal.ts'

const settings = describeOptions(detectionSettings)

export const detectCommand = withExamples(
  withEntryOptions(withForeign(new Command('detect')).argument('<run>', "a finished experiment's directory"), () =>
    Object.entries(detectors).flatMap(([entry, { options }]) =>
      describeOptions(options, 'detector.').map((described) => ({ ...described, entry })),
    ),
  ),
  'deconfound detect runs/… --detector spectral-signatures --detector.epsilon 0.2',
  'deconfound detect runs/… --detector strip --model resnet18.safetensors --size 32',
).action(async (run: string, flags: Record<string, unknown>, command: Command) => {
  const words = settings.flatMap(({ name }) => {
    const value = flags[name]
    return typeof value === 'string'
      ? [[name, ['data', 'model'].includes(name) ? value : parseFlag(value)] as const]
      : []
  })
  const detection = resolveDetection({ ...Object.fromEntries(words), ...entryOptions(command) }, 'the command line')
  const result = await withListener((listener) => detectPoison(run, detection, listener, foreignReading(flags)))
  if (flags.json) printJson(result)
  else print(describe(result))
})
for (const described of settings)
  detectCommand.addOption(flagFor(described).makeOptionMandatory(described.name === 'detector'))
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
