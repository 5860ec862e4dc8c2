import { Command, Option } from 'commander'
import { UserError } from '../errors.ts'
import { formats, type PoisonDataResult, poisonData } from '../experiment/poison-data.ts'
import { printedConfiguration, withSettings } from './configuration.ts'
import { dataArgument, readDataConfiguration } from './data-argument.ts'
import { listenForSignals, withListener } from './session.ts'
import { percent, reportRows, table } from './tables.ts'

const forms = Object.entries(formats).map(([name, { title }]) => `${name}: ${title}`)

export const poisonCommand = withSettings(new Command('poison'), {
  without: ['defense', 'preset', 'epochs', 'holdout', 'runs', 'clean', 'clean-share', 'reference'],
})
  .argument('[data]', dataArgument)
  .description('Write a poisoned data set, and beside it the truth about it')
  .option('--out <folder>', "the folder to make; the truth goes to the folder of the same name with '-truth'")
  .addOption(new Option('--format <form>', forms.join('; ')).choices(Object.keys(formats)).default('folders'))
  .addHelpText(
    'after',
    '\nExamples:\n  deconfound poison photos/ --out poisoned --attack blend --rate 0.05\n  deconfound train poisoned\n  deconfound evaluate runs/… --trigger poisoned-truth',
  )
  .action(async (_: string | undefined, options, command: Command) => {
    const config = readDataConfiguration(command)
    if (printedConfiguration(command, config)) return
    if (options.out === undefined)
      throw new UserError('usage', 'Cannot write a poisoned data set to nowhere: give --out a new folder')
    listenForSignals()
    const { out, format } = options
    const result = await withListener((listener) => poisonData(config, { out, format, listener }))
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${describe(result)}\n`)
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
