import type { Command } from 'commander'
import { commands, type Listed } from '../commands.ts'
import { entryOptionsOf, wordsFor, wordsTaken } from '../options.ts'

/** A command as a shell completes it. */
export interface Completed {
  readonly name: string
  readonly description: string
  readonly options: readonly CompletedOption[]
  /** the words of each argument; none where an argument is a file */
  readonly places: readonly (readonly string[])[]
}

export interface CompletedOption {
  /** with its dashes */
  readonly flag: string
  readonly description: string
  /** whether a value follows */
  readonly valued: boolean
  /** what the value may be; none where it is a file or a number */
  readonly values: readonly string[]
}

/** All commands with their options, those of entries among them. */
export async function completedCommands(): Promise<Completed[]> {
  return Promise.all(commands.map(async (listed) => completed(listed, await listed.load())))
}

function completed({ name, description }: Listed, command: Command): Completed {
  const own = command.options.map((option) => ({
    flag: option.long ?? '',
    description: brief(option.description),
    valued: option.required,
    values: wordsTaken(option),
  }))
  const ofEntries = entryOptionsOf(command).map((described) => ({
    flag: `--${described.name}`,
    description: brief(described.description),
    valued: true,
    values: wordsFor(described),
  }))
  const help = { flag: '--help', description: 'display help', valued: false, values: [] }
  return {
    name,
    description: brief(description),
    options: [...own, ...ofEntries, help].sort((a, b) => (a.flag < b.flag ? -1 : 1)),
    places: command.registeredArguments.map(wordsTaken),
  }
}

const longest = 72

/** The first clause of a description, on one line. */
function brief(description: string): string {
  const [clause = ''] = description.split(/[;:\n]| \(/)
  return clause.length <= longest ? clause : `${clause.slice(0, longest - 1)}…`
}

/** A text that a shell takes literally, as bash, zsh and fish all read it once no quote is in it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`
}
