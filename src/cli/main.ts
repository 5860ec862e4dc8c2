import { Command, CommanderError } from 'commander'
import { asUserError, exitCode } from '../errors.ts'
import { packageVersion } from '../experiment/store/environment.ts'
import { keepFreedMemory } from '../tensor/native.ts'
import { commands } from './commands.ts'

/** The command line: parses, dispatches, and turns errors into messages and exit codes. */
export async function main(parameters: readonly string[]): Promise<void> {
  keepFreedMemory()
  const program = new Command('deconfound')
    .description('Train an image classifier you can trust on images you cannot')
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError(false)
  for (const command of commands) program.addCommand(command.exitOverride())
  try {
    await program.parseAsync(parameters, { from: 'user' })
  } catch (error) {
    process.exitCode = report(error)
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage
  const known = asUserError(error)
  if (known) {
    process.stderr.write(`${known.message}\n`)
    return known.code
  }
  process.stderr.write(`This is a bug in deconfound, please report it:\n${(error as Error).stack ?? error}\n`)
  return exitCode.bug
}
