import { Command } from 'commander'
import { stringify } from 'yaml'
import { UserError } from '../errors.ts'
import { kebab } from '../experiment/settings/check.ts'
import { describeOptions } from '../experiment/settings/describe-options.ts'
import { parseFlag } from '../experiment/settings/flag.ts'
import {
  type Criterion,
  criteria,
  sameSetting,
  searchSettings,
  type TuneResult,
  tune,
  withSetting,
} from '../experiment/tune.ts'
import { writeAtomically } from '../files.ts'
import { printedConfiguration, readConfiguration, withSettings } from './configuration.ts'
import { withExamples } from './failure.ts'
import { flagFor, oneOf } from './options.ts'
import { withListener } from './session.ts'
import { percent, table } from './tables.ts'
import { print, printJson } from './terminal.ts'

const own = describeOptions(searchSettings)
const defaults = { defense: 'cbd' } as const

export const tuneCommand = withExamples(
  withSettings(new Command('tune'), { without: ['holdout', 'clean', 'without', 'reference'], defaults })
    .option(
      '--by <criterion>',
      `what the applied setting is best by, of ${criteria.join(', ')}`,
      oneOf('use --by', criteria),
      'separation' as const,
    )
    .option('--apply <file>', 'write the configuration with the best setting there, for run --config')
    .addHelpText('after', '\nGiven again, a search that was broken off goes on.'),
  'deconfound tune --dataset cifar10 --data data/cifar-10-batches-py --attack badnets --epochs 10 --apply best.yaml',
)
for (const described of own) tuneCommand.addOption(flagFor(described))
tuneCommand.action(async (flags: Record<string, string | undefined>, command: Command) => {
  const config = readConfiguration(command, (given) => ({ ...defaults, ...given }))
  if (printedConfiguration(command, config)) return
  const given = own.flatMap(({ name }) => (flags[name] === undefined ? [] : [[name, parseFlag(flags[name])] as const]))
  const search = Object.fromEntries(given)
  const { runs = 'runs', by, apply } = flags as { runs?: string; by: Criterion; apply: string | undefined }
  const result = await withListener((listener) => tune(config, search, { runs, listener }))
  if (apply) applyTo(apply, withSetting(config, result.best[by]))
  if (command.opts().json) printJson(result)
  else print(describe(result, { by, apply }))
})

function applyTo(file: string, settings: Record<string, unknown>): void {
  try {
    writeAtomically(file, stringify(settings))
  } catch (error) {
    throw new UserError('usage', `Cannot write the configuration '${file}': ${(error as Error).message}`)
  }
}

function describe(
  { settings, best, run, images }: TuneResult,
  { by, apply }: { by: Criterion; apply: string | undefined },
): string {
  const names = Object.keys(settings[0]?.setting ?? {})
  const rows = settings.map(({ setting, accuracy, separation }) => {
    const chosen = criteria.filter((criterion) => sameSetting(best[criterion], setting))
    const mark = chosen.length > 0 ? `best by ${chosen.join(' and ')}` : ''
    return [...names.map((name) => String(setting[name])), percent(accuracy), separation.toFixed(4), mark]
  })
  const heads = [...names.map(kebab), 'held-out accuracy', 'separation', '']
  const applied = apply ? `\nbest by ${by} written: deconfound run --config ${apply}` : ''
  return `${table([heads, ...rows])}

held-out accuracy: by the labels as given, poisoned ones included: a model that obeys scores higher
separation: how far the losses of the confounder fall into two groups; no label is trusted. The confounder is the same
for all values of the other settings: of equal separations the higher accuracy is called best
${images} images, search in ${run}${applied}`
}
