import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { evaluateModel } from '../experiment/measure/evaluate-model.ts'
import { againstTrigger, openTrigger } from '../experiment/store/recorded-trigger.ts'
import { printedConfiguration, readConfiguration, withSettings } from './configuration.ts'
import { modelFile } from './model-file.ts'
import { listenForSignals, withListener } from './session.ts'
import { evaluationRows, table } from './tables.ts'

export const evaluateCommand = withSettings(new Command('evaluate'), {
  without: ['defense', 'preset', 'epochs', 'model', 'rate', 'holdout', 'clean', 'reference'],
})
  .argument('<model>', "a model file, or a run's directory")
  .description('Measure a model on trusted test images, and against a trigger')
  .option('--trigger <run>', "measure against the trigger of a run's directory, or of the truth beside poisoned data")
  .addHelpText(
    'after',
    '\nExamples:\n  deconfound evaluate runs/… --dataset signs --attack badnets\n  deconfound evaluate runs/… --trigger poisoned-truth',
  )
  .action(async (model: string, options, command: Command) => {
    if (model.startsWith('--'))
      throw new UserError(
        'usage',
        `Cannot understand '${model}' here: options of entries come last, as in 'deconfound evaluate runs/… --attack.opacity 0.1'`,
      )
    const recorded = options.trigger === undefined ? undefined : openTrigger(options.trigger)
    const config = readConfiguration(command, command.args.slice(1), (given) =>
      recorded ? againstTrigger(recorded, given) : given,
    )
    if (printedConfiguration(command, config)) return
    listenForSignals() // an attack may have to learn first
    const result = await withListener((listener) => evaluateModel(modelFile(model), config, { listener, recorded }))
    const source = recorded ? `\ntrigger ${result.trigger.slice(0, 16)} of ${recorded.path}` : ''
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${table(evaluationRows(result))}${source}\n`)
  })
