import type { Command, CommanderError } from 'commander'
import { asUserError, exitCode, UserError } from '../errors.ts'
import { didYouMean } from '../experiment/settings/did-you-mean.ts'
import { optionNames } from './options.ts'
import { printJson, tell } from './terminal.ts'

/** A failure beside which there is something to print: with `--json`, `facts` and the error are one object. */
export class PartialFailure extends UserError {
  readonly facts: object

  constructor(code: 'usage' | 'data', message: string, facts: object) {
    super(code, message)
    this.facts = facts
  }
}

/** Tells why a command failed, on standard error and, for a program, as JSON on standard output; gives its exit code. */
export function report(error: unknown, { json }: { json: boolean }): number {
  const known = asUserError(error)
  const code = known?.code ?? exitCode.bug
  if (known) tell(known.message, 'red')
  else tell(`This is a bug in deconfound, please report it:\n${(error as Error).stack ?? error}`)
  const facts = error instanceof PartialFailure ? error.facts : {}
  if (json) printJson({ ...facts, error: { code, message: known?.message ?? String(error) } })
  return code
}

/** What commander refuses, told as every other mistake; undefined where it printed help or the version. */
export function usageError(error: CommanderError, command: Command | undefined): UserError | undefined {
  if (error.exitCode === 0) return undefined
  const name = command?.name() ?? ''
  const [, quoted = ''] = /'([^']*)'/.exec(error.message) ?? []
  const see = command ? `see 'deconfound ${name} --help'` : "see 'deconfound --help'"
  const refuse = (facts: string) => new UserError('usage', facts)
  switch (error.code) {
    case 'commander.missingArgument':
      return refuse(`Cannot ${name} without <${quoted}>: give it, as in '${exampleOf(command)}'`)
    case 'commander.unknownOption': {
      const given = quoted.replace(/^-+/, '').replace(/=.*/s, '')
      const close = command ? didYouMean(given, optionNames(command)).replaceAll(/'([^']+)'/g, "'--$1'") : ''
      return refuse(
        `Cannot use '${quoted}'${command ? ` with '${name}'` : ''}: there is no such option; ${close || see}`,
      )
    }
    case 'commander.optionMissingArgument':
      return refuse(`Cannot use '${quoted}': its value is missing; ${see}`)
    case 'commander.missingMandatoryOptionValue':
      return refuse(`Cannot ${name} without '${quoted}': give it, as in '${exampleOf(command)}'`)
    case 'commander.excessArguments':
      return refuse(`Cannot ${name} with so many words: ${error.message.replace(/^error: /, '')}; ${see}`)
    default:
      return refuse(`Cannot understand the command: ${error.message.replace(/^error: /, '')}; ${see}`)
  }
}

const examples = new WeakMap<Command, string>()

/** Examples at the end of a command's help; the first also answers who left something out. */
export function withExamples(command: Command, first: string, ...others: string[]): Command {
  examples.set(command, first)
  const lines = [first, ...others].map((line) => `  ${line}`)
  return command.addHelpText('after', `\nExample${others.length > 0 ? 's' : ''}:\n${lines.join('\n')}`)
}

function exampleOf(command: Command | undefined): string {
  return (command && examples.get(command)) ?? `deconfound ${command?.name()} --help`
}
