import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { attacks } from '../attacks/index.ts'
import { datasets } from '../datasets/index.ts'
import { defenses } from '../defenses/index.ts'
import { UserError } from '../errors.ts'
import {
  type Config,
  flattenConfig,
  parseConfigFile,
  resolveConfig,
  type Settings,
  settings,
} from '../experiment/settings/config.ts'
import { describeOptions } from '../experiment/settings/describe-options.ts'
import { parseFlag } from '../experiment/settings/flag.ts'
import { models } from '../models/index.ts'
import { entryOptions, flagFor, withEntryOptions } from './options.ts'
import { printJson } from './terminal.ts'

interface WithSettings {
  /** what the command has no use for */
  readonly without?: readonly (keyof Settings | 'runs')[]
  /** what `--help` leaves to `--help-all` */
  readonly quiet?: readonly (keyof Settings)[]
  readonly defaults?: Readonly<Record<string, unknown>>
}

/** How a model is trained: for commands that train one only where an attack must learn. */
export const recipe: readonly (keyof Settings)[] = [
  'batch',
  'balance',
  'learning-rate',
  'schedule',
  'momentum',
  'weight-decay',
  'nesterov',
  'crop',
  'padding',
  'flip',
  'cutout',
  'color',
  'checkpoint-every',
]

/** What a model is trained by, and where: for commands that poison and train none. */
export const training = [
  'defense',
  'preset',
  'epochs',
  'holdout',
  'runs',
  'clean',
  'without',
  'clean-share',
  'reference',
] as const

/** Adds a flag for each setting but those left out, and the options of entries. */
export function withSettings(
  command: Command,
  { without = [], quiet = [], defaults = {} }: WithSettings = {},
): Command {
  const left = without as readonly string[]
  for (const described of describeOptions(settings)) {
    const { name } = described
    if (left.includes(name)) continue
    const flag = flagFor({ ...described, default: defaults[name] ?? described.default })
    command.addOption((quiet as readonly string[]).includes(name) ? flag.hideHelp() : flag)
  }
  if (!left.includes('runs')) command.option('--runs <folder>', "where runs' directories are made", 'runs')
  command
    .option('--config <file>', 'a YAML file with the same names')
    .option('--print-config', 'print the complete configuration and stop')
    .option('--json', 'print one JSON object on standard output')
  return withEntryOptions(command, () => describeEntries(left))
}

/** Settings that are taken as they are written, whatever they look like. */
const paths = ['data', 'clean', 'without']

/** The configuration from a file and flags; flags win. */
export function readConfiguration(command: Command, complete = (given: Record<string, unknown>) => given): Config {
  const flags = command.opts() as Record<string, unknown>
  const file = flags.config as string | undefined
  const given: Record<string, unknown> = file ? parseConfigFile(readText(file, 'configuration'), file) : {}
  for (const { name } of describeOptions(settings)) {
    const value = flags[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())]
    if (typeof value === 'string') given[name] = paths.includes(name) ? value : parseFlag(value)
  }
  Object.assign(given, entryOptions(command))
  return resolveConfig(complete(given), file ? `'${file}' and the command line` : 'the command line')
}

/** Answers `--print-config`; true when it did. */
export function printedConfiguration(command: Command, config: Config): boolean {
  if (!command.opts().printConfig) return false
  if (command.opts().json) printJson(flattenConfig(config))
  else process.stdout.write(stringify(flattenConfig(config))) // a file's text, which is kept as it is
  return true
}

/** Options of the entries that can be chosen, and of data sets, which may be chosen by their folder. */
function describeEntries(without: readonly string[]) {
  const catalogues = { dataset: datasets, attack: attacks, defense: defenses, model: models }
  const open = Object.entries(catalogues).filter(([kind]) => kind === 'dataset' || !without.includes(kind))
  return open.flatMap(([kind, catalogue]) =>
    Object.entries(catalogue).flatMap(([entry, { options }]) =>
      describeOptions(options, `${kind}.`).map((described) => ({ ...described, entry })),
    ),
  )
}

/** The text of a file the user names; `what` it is stands in the error. */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: `there is no such file; give its path, from ${process.cwd()}`,
      EISDIR: 'it is a folder; give a YAML file',
    }
    const facts = reasons[code ?? ''] ?? message
    throw new UserError('usage', `Cannot read the ${what} '${file}': ${facts}`)
  }
}
