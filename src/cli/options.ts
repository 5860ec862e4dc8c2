import { type Argument, type Command, Option } from 'commander'
import { UserError } from '../errors.ts'
import type { Described } from '../experiment/settings/describe-options.ts'
import { noSuch } from '../experiment/settings/did-you-mean.ts'
import { namesFile } from '../experiment/settings/file-options.ts'
import { parseFlag } from '../experiment/settings/flag.ts'

// Options of entries (`--attack.opacity 0.2`): commander does not know their names, since they depend on what is chosen.
// They are taken out of the words before commander sees these, so that they may stand anywhere.

const isEntryOption = /^--[\w-]+\.[\w.-]+(?:=|$)/

/** The words for commander, and the options of entries among them, by name. */
export function takeEntryOptions(words: readonly string[]): {
  rest: string[]
  given: Readonly<Record<string, unknown>>
} {
  const rest: string[] = []
  const given: Record<string, unknown> = {}
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string
    if (word === '--') return { rest: [...rest, ...words.slice(i)], given }
    if (!isEntryOption.test(word)) {
      rest.push(word)
      continue
    }
    const [name, attached] = word.slice(2).split(/=(.*)/s) as [string, string | undefined]
    const value = attached ?? words[++i]
    if (value === undefined || (attached === undefined && value.startsWith('--')))
      throw new UserError('usage', `Cannot understand '--${name}': its value is missing, as in '--${name} 1'`)
    given[name] = namesFile(name) ? value : parseFlag(value) // a path is taken as it is written
  }
  return { rest, given }
}

interface OfEntries {
  readonly describe: () => readonly (Described & { readonly entry: string })[]
  given: Readonly<Record<string, unknown>>
}
const ofEntries = new WeakMap<Command, OfEntries>()

/** Lets a command take the options of entries that `describe` lists, and tell them by `--help-all`. */
export function withEntryOptions(command: Command, describe: OfEntries['describe']): Command {
  ofEntries.set(command, { describe, given: {} })
  return command.option('--help-all', 'display help with the options of all entries').on('option:help-all', () => {
    for (const option of command.options) option.hidden = false
    command.addHelpText('after', () => `\nOptions of entries:\n${entryHelp(describe())}`).help()
  })
}

/** What `main` found for a command; a UserError where it takes none. */
export function giveEntryOptions(command: Command, given: Readonly<Record<string, unknown>>): void {
  const own = ofEntries.get(command)
  const [first] = Object.keys(given)
  if (own) own.given = given
  else if (first)
    throw new UserError(
      'usage',
      `Cannot use '--${first}' with '${command.name()}': see 'deconfound help ${command.name()}'`,
    )
}

/** The options of entries that a command was given. */
export function entryOptions(command: Command): Readonly<Record<string, unknown>> {
  return ofEntries.get(command)?.given ?? {}
}

/** All names that a command may be given, without dashes. */
export function optionNames(command: Command): string[] {
  const own = command.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => (long ? [long.slice(2)] : []))
  return [...new Set([...own, ...entryOptionsOf(command).map(({ name }) => name)])]
}

/** The options of entries that a command may be given; those of one name are told once. */
export function entryOptionsOf(command: Command): Described[] {
  const described = ofEntries.get(command)?.describe() ?? []
  return [...new Map(described.map((each) => [each.name, each])).values()]
}

function entryHelp(described: ReturnType<OfEntries['describe']>): string {
  const heads = described.map(({ name, form, entry }) => `  --${name} ${form} (${entry})`)
  const width = Math.max(...heads.map(({ length }) => length)) + 2
  return described.map((option, i) => (heads[i] as string).padEnd(width) + withDefault(option)).join('\n')
}

const paths: Readonly<Record<string, string>> = { data: '<folder>', clean: '<folder>', without: '<file>' }

/** A flag for an option that a schema describes. Its values are checked by the schema, which also says what there is. */
export function flagFor(described: Described): Option {
  const { name, choices } = described
  const form = paths[name] ?? described.form
  const listed = choices && choices.length <= 4 ? `, of ${choices.join(', ')}` : ''
  const parse = (value: string) => {
    if (!value.startsWith('--')) return value
    throw new UserError('usage', `Cannot use '--${name} ${form}': its value is missing`)
  }
  taken.set(parse, wordsFor(described))
  return new Option(`--${name} ${form}`, withDefault(described) + listed).argParser(parse)
}

/** What the values of options and arguments are, by the functions that parse them. */
const taken = new WeakMap<object, readonly string[]>()

/** The words that an option or argument takes; none where they are not a few known ones. */
export function wordsTaken({ parseArg, argChoices }: Option | Argument): readonly string[] {
  return argChoices ?? (parseArg && taken.get(parseArg)) ?? []
}

/** The words that a described option takes. */
export function wordsFor({ choices, form }: Described): readonly string[] {
  return choices ?? (form.includes('|') ? form.slice(1, -1).split('|') : []) // as in <true|false>
}

function withDefault({ description, default: standard }: Described): string {
  return description + (standard === null ? '' : ` (default: ${standard})`)
}

/** For commander: takes one of these words only; `action` is what cannot be done with another. */
export function oneOf<T extends string>(action: string, choices: readonly T[]): (given: string) => T {
  const parse = (given: string) => {
    if ((choices as readonly string[]).includes(given)) return given as T
    throw new UserError('usage', `Cannot ${action} '${given}': ${noSuch(given, choices)}`)
  }
  taken.set(parse, choices)
  return parse
}

/** The value of a flag that counts; a UserError for any other. */
export function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least) return value
  throw new UserError('usage', `Cannot use --${name} '${text}': give a whole number from ${least} on`)
}
