import { Command } from 'commander'
import { evaluateModel } from '../experiment/measure/evaluate-model.ts'
import { evaluationSettings, openMeasured } from '../experiment/measure/evaluation-settings.ts'
import { printedConfiguration, readConfiguration, recipe, withSettings } from './configuration.ts'
import { withExamples } from './failure.ts'
import { foreignReading, withForeign } from './foreign.ts'
import { withListener } from './session.ts'
import { evaluationRows, table } from './tables.ts'
import { print, printJson } from './terminal.ts'

const without = [
  'defense',
  'preset',
  'epochs',
  'model',
  'rate',
  'holdout',
  'clean',
  'without',
  'reference',
  'test-share',
] as const

export const evaluateCommand = withExamples(
  withForeign(withSettings(new Command('evaluate'), { without, quiet: recipe }))
    .argument('<model>', "a model file, ours or one of torchvision's or timm's names, or a run's directory")
    .option('--trigger <run>', "another trigger: that of a run's directory, or of the truth beside poisoned data"),
  'deconfound evaluate runs/…',
  'deconfound evaluate runs/… --attack blend',
  'deconfound evaluate runs/… --trigger poisoned-truth',
  'deconfound evaluate resnet18.safetensors --data photos/ --size 64 --attack badnets',
).action(async (model: string, options, command: Command) => {
  const measured = openMeasured(model, options.trigger, foreignReading(options))
  const config = readConfiguration(command, (given) => evaluationSettings(measured, given))
  if (printedConfiguration(command, config)) return
  const result = await withListener((listener) => evaluateModel(measured, config, listener))
  if (options.json) return printJson(result)
  const source = result.triggerFrom === null ? [] : [`trigger ${result.trigger.slice(0, 16)} of ${result.triggerFrom}`]
  print([table(evaluationRows(result)), ...source, ...result.remarks].join('\n'))
})
