import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { stringify } from 'yaml'
import { attacks } from '../attacks/index.ts'
import { datasets } from '../datasets/index.ts'
import { defenses } from '../defenses/index.ts'
import { UserError } from '../errors.ts'
import {
  type Config,
  describeOptions,
  flattenConfig,
  parseConfigFile,
  parseFlag,
  resolveConfig,
  type Settings,
  settings,
} from '../experiment/settings/config.ts'
import { models } from '../models/index.ts'

/** Adds a flag for each setting but those left out, and those of entries (`--attack.opacity 0.2`) unlisted. */
export function withSettings(
  command: Command,
  {
    without = [],
    defaults = {},
  }: { without?: readonly (keyof Settings | 'runs')[]; defaults?: Readonly<Record<string, unknown>> } = {},
): Command {
  for (const { name, default: general, description, choices } of describeOptions(settings)) {
    if ((without as string[]).includes(name)) continue
    const standard = defaults[name] ?? general
    const note = standard === null ? '' : ` (default: ${standard})`
    const option = new Option(`--${name} <value>`, description + note)
    command.addOption(choices ? option.choices(choices) : option)
  }
  if (!without.includes('runs')) command.option('--runs <folder>', "where runs' directories are made", 'runs')
  return command
    .option('--config <file>', 'a YAML file with the same names')
    .option('--print-config', 'print the complete configuration and stop')
    .option('--json', 'print one JSON object on standard output')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText('after', () => entryHelp(without))
}

/** Settings that are taken as they are written, whatever they look like. */
const paths = ['data', 'clean']

/** The configuration from a file and flags; flags win. `rest` are the words commander did not know: options of entries. */
export function readConfiguration(
  command: Command,
  rest: readonly string[],
  complete = (given: Record<string, unknown>) => given,
): Config {
  const flags = command.opts() as Record<string, unknown>
  const file = flags.config as string | undefined
  const given: Record<string, unknown> = file ? parseConfigFile(readText(file, 'configuration'), file) : {}
  for (const { name } of describeOptions(settings)) {
    const value = flags[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())]
    if (typeof value === 'string') given[name] = paths.includes(name) ? value : parseFlag(value)
  }
  Object.assign(given, readWords(rest))
  return resolveConfig(complete(given), file ? `'${file}' and the command line` : 'the command line')
}

/** Options of entries from the words commander did not know: `--attack.opacity 0.2` or `--attack.opacity=0.2`. */
export function readWords(words: readonly string[]): Record<string, unknown> {
  const given: Record<string, unknown> = {}
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string
    if (!word.startsWith('--')) throw new UserError('usage', `Cannot understand '${word}': expected an option`)
    const [name, attached] = word.slice(2).split(/=(.*)/s) as [string, string | undefined]
    const value = attached ?? words[++i]
    if (value === undefined) throw new UserError('usage', `Cannot understand '${word}': its value is missing`)
    given[name] = parseFlag(value)
  }
  return given
}

/** Answers `--print-config`; true when it did. */
export function printedConfiguration(command: Command, config: Config): boolean {
  if (!command.opts().printConfig) return false
  process.stdout.write(
    command.opts().json ? `${JSON.stringify(flattenConfig(config))}\n` : stringify(flattenConfig(config)),
  )
  return true
}

/** Options of the entries that can be chosen, and of data sets, which may be chosen by their folder. */
function entryHelp(without: readonly string[]): string {
  const catalogues = { dataset: datasets, attack: attacks, defense: defenses, model: models }
  const open = Object.entries(catalogues).filter(([kind]) => kind === 'dataset' || !without.includes(kind))
  const lines = open.flatMap(([kind, catalogue]) =>
    Object.entries(catalogue).flatMap(([entry, { options }]) =>
      describeOptions(options, `${kind}.`).map(
        ({ name, default: standard, description }) =>
          `  --${name} (${entry})`.padEnd(44) + description + (standard === null ? '' : ` (default: ${standard})`),
      ),
    ),
  )
  return `\nOptions of entries:\n${lines.join('\n')}`
}

/** The text of a file the user names; `what` it is stands in the error. */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const facts = code === 'ENOENT' ? `there is no such file; give its path, from ${process.cwd()}` : message
    throw new UserError('usage', `Cannot read the ${what} '${file}': ${facts}`)
  }
}
