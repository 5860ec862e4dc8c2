import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { isPlanned } from '../experiment/store/sweep-plan.ts'
import { startServer } from '../web/server.ts'
import { withExamples } from './failure.ts'
import { askingInstead } from './stopping.ts'
import { print, printJson, tell } from './terminal.ts'

interface Options {
  readonly runs: string
  readonly records?: string
  readonly port: string
  readonly json?: boolean
}

export const uiCommand = withExamples(
  new Command('ui')
    .option('--runs <folder>', "where runs' directories are", 'runs')
    .option(
      '--records <folder>',
      'records of a sweep, shown as a grid that fills in; what the sweep has not begun is shown as such',
    )
    .option('--port <number>', 'where to listen; 0: any port that is free', '0')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText(
      'after',
      '\nThe page is for this machine alone, and for who has its address. It changes nothing but decisions.csv in a run.',
    ),
  'deconfound ui',
  'deconfound ui --runs runs --records results/cifar10-attacks',
).action(async ({ runs, records, port: given, json }: Options) => {
  const port = Number(given)
  if (!/^\d+$/.test(given) || port > 65_535)
    throw new UserError('usage', `Cannot show the page at port '${given}': give --port a number from 0 to 65535`)
  for (const [name, folder] of Object.entries({ runs, records })) {
    if (folder !== undefined && !existsSync(folder) && !isPlanned(runs, folder))
      throw new UserError('usage', `Cannot show '${folder}': there is no such folder; choose another by --${name}`)
  }
  const server = await startServer({ runs, records, port })
  if (json) printJson({ url: server.url })
  else print(server.url)
  tell('open this address in a browser on this machine; Ctrl-C ends the page')
  let end = () => {}
  await askingInstead(() => end(), new Promise<void>((resolve) => (end = resolve)))
  await server.close()
})
