import { Command } from 'commander'
import { previewTrigger } from '../experiment/preview-trigger.ts'
import { printedConfiguration, recipe, training, withSettings } from './configuration.ts'
import { dataArgument, readDataConfiguration } from './data-argument.ts'
import { withExamples } from './failure.ts'
import { withListener } from './session.ts'
import { reportRows, table } from './tables.ts'
import { print, printJson } from './terminal.ts'

export const previewCommand = withExamples(
  withSettings(new Command('preview'), { without: training, quiet: recipe })
    .argument('[data]', dataArgument)
    .option('--out <file>', 'the PNG file to write', 'preview.png'),
  'deconfound preview photos/ --attack blend --attack.opacity 0.1',
).action(async (_: string | undefined, options, command: Command) => {
  const config = readDataConfiguration(command)
  if (printedConfiguration(command, config)) return
  const result = await withListener((listener) => previewTrigger(config, { out: options.out, listener }))
  if (options.json) return printJson(result)
  print(table([['trigger', result.trigger], ['preview', result.preview], ...reportRows(result.attackReport)]))
})
