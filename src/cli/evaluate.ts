import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { evaluateModel } from '../experiment/measure/evaluate-model.ts'
import { evaluationSettings, openMeasured } from '../experiment/measure/evaluation-settings.ts'
import { printedConfiguration, readConfiguration, withSettings } from './configuration.ts'
import { listenForSignals, withListener } from './session.ts'
import { evaluationRows, table } from './tables.ts'

export const evaluateCommand = withSettings(new Command('evaluate'), {
  without: ['defense', 'preset', 'epochs', 'model', 'rate', 'holdout', 'clean', 'reference', 'test-share'],
})
  .argument('<model>', "a model file, or a run's directory")
  .description('Measure a model on the test images of its run, and against the trigger that its run poisoned with')
  .option('--trigger <run>', "another trigger: that of a run's directory, or of the truth beside poisoned data")
  .addHelpText(
    'after',
    '\nExamples:\n  deconfound evaluate runs/…\n  deconfound evaluate runs/… --attack blend\n  deconfound evaluate runs/… --trigger poisoned-truth',
  )
  .action(async (model: string, options, command: Command) => {
    if (model.startsWith('--'))
      throw new UserError(
        'usage',
        `Cannot understand '${model}' here: options of entries come last, as in 'deconfound evaluate runs/… --attack.opacity 0.1'`,
      )
    const measured = openMeasured(model, options.trigger)
    const config = readConfiguration(command, command.args.slice(1), (given) => evaluationSettings(measured, given))
    if (printedConfiguration(command, config)) return
    listenForSignals() // an attack may have to learn first
    const result = await withListener((listener) => evaluateModel(measured, config, listener))
    const source =
      result.triggerFrom === null ? [] : [`trigger ${result.trigger.slice(0, 16)} of ${result.triggerFrom}`]
    const lines = [table(evaluationRows(result)), ...source, ...result.remarks]
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${lines.join('\n')}\n`)
  })
