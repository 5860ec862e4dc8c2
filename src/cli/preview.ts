import { Command } from 'commander'
import { previewTrigger } from '../experiment/preview-trigger.ts'
import { printedConfiguration, withSettings } from './configuration.ts'
import { dataArgument, readDataConfiguration } from './data-argument.ts'
import { listenForSignals, withListener } from './session.ts'
import { reportRows, table } from './tables.ts'

export const previewCommand = withSettings(new Command('preview'), {
  without: ['defense', 'preset', 'epochs', 'holdout', 'runs', 'clean', 'clean-share', 'reference'],
})
  .argument('[data]', dataArgument)
  .description("Draw an attack's trigger: images clean, triggered, and the difference times 8")
  .option('--out <file>', 'the PNG file to write', 'preview.png')
  .addHelpText('after', '\nExample:\n  deconfound preview photos/ --attack blend --attack.opacity 0.1')
  .action(async (_: string | undefined, options, command: Command) => {
    const config = readDataConfiguration(command)
    if (printedConfiguration(command, config)) return
    listenForSignals()
    const result = await withListener((listener) => previewTrigger(config, { out: options.out, listener }))
    const rows = [['trigger', result.trigger], ['preview', result.preview], ...reportRows(result.attackReport)]
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${table(rows)}\n`)
  })
