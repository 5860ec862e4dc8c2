import { Command } from 'commander'
import { type GivenModel, repairDefaults, repairing, repairSettings, runRepair } from '../experiment/repair.ts'
import { settings } from '../experiment/settings/config.ts'
import { describeOptions } from '../experiment/settings/describe-options.ts'
import { modelFile } from '../experiment/store/model-file.ts'
import { createRun } from '../experiment/store/run-folder.ts'
import type { RepairResult } from '../experiment/store/schema.ts'
import { printedConfiguration, readConfiguration, withSettings } from './configuration.ts'
import { withExamples } from './failure.ts'
import { foreignReading, withForeign } from './foreign.ts'
import { inRun } from './session.ts'
import { percent, table } from './tables.ts'
import { print, printJson, shown } from './terminal.ts'

/** What a repair has use for; everything else belongs to training on untrusted images. */
const taken: readonly string[] = ['clean', 'defense', 'preset', 'seed', 'holdout', 'device', 'precision', 'threads']
const quiet = ['crop', 'padding', 'flip', 'cutout', 'color', 'checkpoint-every'] as const
const names = describeOptions(settings).map(({ name }) => name)

export const repairCommand = withExamples(
  withForeign(
    withSettings(new Command('repair'), {
      without: names.filter((name) => !taken.includes(name) && !(quiet as readonly string[]).includes(name)) as never,
      quiet,
      defaults: repairDefaults,
    }),
  ).argument('<model>', "a model file, ours or one of torchvision's or timm's names, or a run's directory"),
  'deconfound repair runs/… --clean trusted/',
  'deconfound repair resnet18.safetensors --clean trusted/ --size 224 --defense nad',
).action(async (model: string, options, command: Command) => {
  const given: GivenModel = { file: modelFile(model), reading: foreignReading(options) }
  const config = readConfiguration(command, (settings) => repairSettings(given, settings))
  if (printedConfiguration(command, config)) return
  const result = await inRun(
    () => createRun(options.runs, 'repair', config),
    (folder, listener) => runRepair(folder, listener, given),
  )
  if (options.json) printJson(result)
  else print(describeRepair(result))
})
/** What some settings mean here and nowhere else. */
const meanings: Readonly<Record<string, string>> = {
  '--clean': 'where images that you trust are, in folders of classes that the model knows',
  '--defense': `how the model is repaired, of ${repairing.join(', ')} (default: ${repairDefaults.defense})`,
  '--holdout': `share of these images that accuracy is measured on, before and after (default: ${repairDefaults.holdout})`,
}
for (const option of repairCommand.options) option.description = meanings[option.long ?? ''] ?? option.description

/** A repair's result for a person. */
export function describeRepair(result: RepairResult): string {
  const { heldOutImages, accuracyBefore, accuracyAfter, cleanImages, files, defense } = result
  const of = `of ${heldOutImages} clean images that were held out`
  const rows = [
    ['repaired by', `${defense}, with ${cleanImages} clean images`],
    ['files skipped', String(result.skippedFiles.length)],
    ...(heldOutImages > 0
      ? [
          ['accuracy before', `${percent(accuracyBefore)} ${of}`],
          ['accuracy after', percent(accuracyAfter)],
        ]
      : []),
    ['model', shown(files.model)],
    ['as it was', shown(files.before)],
  ]
  return [table(rows), ...result.remarks].join('\n')
}
