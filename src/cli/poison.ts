import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { formats, type PoisonDataResult, poisonData } from '../experiment/poison-data.ts'
import { printedConfiguration, recipe, training, withSettings } from './configuration.ts'
import { dataArgument, readDataConfiguration } from './data-argument.ts'
import { withExamples } from './failure.ts'
import { oneOf } from './options.ts'
import { withListener } from './session.ts'
import { percent, reportRows, table } from './tables.ts'
import { print, printJson } from './terminal.ts'

const forms = Object.entries(formats).map(([name, { title }]) => `${name}: ${title}`)

const formNames = Object.keys(formats) as (keyof typeof formats)[]

export const poisonCommand = withExamples(
  withSettings(new Command('poison'), { without: training, quiet: recipe })
    .argument('[data]', dataArgument)
    .option('--out <folder>', "the folder to make; the truth goes to the folder of the same name with '-truth'")
    .option('--format <form>', forms.join('; '), oneOf('use --format', formNames), 'folders' as const),
  'deconfound poison photos/ --out poisoned --attack blend --rate 0.05',
  'deconfound train poisoned',
  'deconfound evaluate runs/… --trigger poisoned-truth',
).action(async (_: string | undefined, options, command: Command) => {
  const config = readDataConfiguration(command)
  if (printedConfiguration(command, config)) return
  if (options.out === undefined)
    throw new UserError('usage', 'Cannot write a poisoned data set to nowhere: give --out a new folder')
  const { out, format } = options
  const result = await withListener((listener) => poisonData(config, { out, format, listener }))
  if (options.json) printJson(result)
  else print(describe(result))
})

function describe(result: PoisonDataResult): string {
  const { images, poisonedImages, coverImages, rate, classes, shape } = result
  const rows = [
    ['images', `${images} of ${shape.join('×')} in ${classes.length} classes`],
    ['poisoned', `${poisonedImages}, ${percent(rate)}`],
  ]
  if (result.target !== null) rows.push(['aimed at', `class '${result.target}'`])
  if (coverImages > 0) rows.push(['covers', `${coverImages}, which keep their label`])
  return table([
    ...rows,
    ...reportRows(result.attackReport),
    ['trigger', result.trigger.slice(0, 16)],
    ['data', result.out],
    ['truth', `${result.truth}, not for who trains on the data`],
  ])
}
