import { readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { Command, CommanderError } from 'commander'
import { asUserError, exitCode, UserError } from '../errors.ts'
import { didYouMean } from '../experiment/settings/did-you-mean.ts'
import { packageRoot } from '../tensor/build.ts'
import { keepFreedMemory } from '../tensor/native.ts'
import { commands } from './commands.ts'
import { report, usageError } from './failure.ts'
import { giveEntryOptions, takeEntryOptions } from './options.ts'
import { isCutOff, stop } from './stopping.ts'
import { painted } from './terminal.ts'

/** The command line: parses, dispatches, and turns errors into messages and exit codes. `signals` call `stop`. */
export async function main(parameters: readonly string[], signals: { stop: () => void } = { stop }): Promise<void> {
  signals.stop = stop
  keepFreedMemory()
  try {
    await dispatch(parameters[0] === 'help' ? [...parameters.slice(1), '--help'] : parameters)
  } catch (error) {
    await setImmediate() // a signal may have come while nothing could hear it, and have ended a compiler
    if (isCutOff() && asUserError(error)?.code !== exitCode.saved) return
    process.exitCode = report(error, { json: parameters.includes('--json') })
  }
}

async function dispatch(parameters: readonly string[]): Promise<void> {
  const [word] = parameters
  const listed = commands.find(({ name }) => name === word)
  if (word !== undefined && !word.startsWith('-') && !listed) {
    const close = didYouMean(
      word,
      commands.map(({ name }) => name),
    )
    throw new UserError('usage', `There is no command '${word}': ${close || "see 'deconfound --help'"}`)
  }
  const program = styled(new Command('deconfound'))
    .description('Train an image classifier you can trust on images you cannot')
    .version(JSON.parse(readFileSync(`${packageRoot()}/package.json`, 'utf8')).version)
  for (const { name, description } of listed ? [] : commands) program.command(name).description(description)
  const command = listed && styled(await listed.load()).description(listed.description)
  if (command) program.addCommand(command)
  const { rest, given } = takeEntryOptions(parameters)
  if (command) giveEntryOptions(command, given)
  try {
    await program.parseAsync(rest, { from: 'user' })
  } catch (error) {
    const refused = error instanceof CommanderError ? usageError(error, command) : error
    if (refused) throw refused
  }
}

/** Errors are told by `report`, and headings of help are bold. */
function styled(command: Command): Command {
  return command
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ styleTitle: (text) => painted(text, 'bold', process.stdout) })
}
