import { Command } from 'commander'
import type { Report } from '../experiment/check/report.ts'
import { checkData } from '../experiment/check-data.ts'
import { onData } from '../experiment/prepare/data.ts'
import type { Config } from '../experiment/settings/config.ts'
import { printedConfiguration, readConfiguration, recipe, withSettings } from './configuration.ts'
import { dataArgument, refuseTwice } from './data-argument.ts'
import { PartialFailure, withExamples } from './failure.ts'
import { withListener } from './session.ts'
import { onOneLine, print, printJson } from './terminal.ts'

/** Settings that say nothing of the data. */
const without = [
  'attack',
  'rate',
  'class-rate',
  'labelling',
  'target',
  'test-share',
  'clean-share',
  'clean',
  'without',
  'defense',
  'preset',
  'reference',
  'model',
  'epochs',
  'holdout',
  'device',
  'precision',
  'threads',
  ...recipe,
  'runs',
] as const

export const checkCommand = withExamples(
  withSettings(new Command('check'), { without }).argument('[data]', dataArgument),
  'deconfound check photos/',
  'deconfound check photos/ --dataset.size 64 --json',
).action(async (_: string | undefined, options, command: Command) => {
  const config = configurationOf(command)
  if (printedConfiguration(command, config)) return
  const report = await withListener((listener) => checkData(config, listener))
  if (!options.json) print(describe(report))
  if (report.refused !== null) throw new PartialFailure('data', report.refused, report)
  if (options.json) printJson(report)
})

/** As 'train' would read the data, but for what has nothing to do with data. */
function configurationOf(command: Command): Config {
  const [data] = command.args
  if (data !== undefined) refuseTwice(command, data)
  return readConfiguration(command, (given) => ({
    ...(data === undefined ? given : onData(data, given)),
    attack: 'none',
    'test-share': 0,
  }))
}

/** The verdict, then what was found by kinds with some examples each. */
function describe(report: Report): string {
  const parts = report.findings.map(({ kind, says, items }) => {
    const shown = items.slice(0, fewItems).map((item) => `  ${item.says}${namesOf(item)}`)
    const more = items.length > fewItems ? [`  and ${items.length - fewItems} more`] : []
    return [`${kind}: ${says}`, ...shown, ...more].join('\n')
  })
  return [verdict(report), ...parts].join('\n\n')
}

const fewItems = 5
const fewNames = 4

function verdict({ refused, trainingImages, testImages, classes, findings }: Report): string {
  if (refused !== null) return 'Training would be refused: the reason is told below'
  const tests = testImages ? ` and ${testImages} test images` : ''
  const of = `${trainingImages} training images${tests} in ${Object.keys(classes ?? {}).length} classes`
  if (findings.length === 0) return `Nothing wrong was found in ${of}`
  const kinds = `${findings.length} ${findings.length === 1 ? 'kind' : 'kinds'} of remarks`
  return `Training is possible, with ${kinds} on ${of}`
}

type Item = Report['findings'][number]['items'][number]

function namesOf({ images, classes, across }: Item): string {
  if (images.length === 0) return ''
  const severalClasses = across?.includes('classes')
  const names = images.slice(0, fewNames).map(({ file, class: name, split }) => {
    const places = [...(severalClasses ? [name] : []), ...(across?.includes('splits') ? [split] : [])]
    return onOneLine(places.length > 0 ? `${file} (${places.join(', ')})` : file)
  })
  const more = images.length > fewNames ? `, and ${images.length - fewNames} more` : ''
  const where = across?.length === 0 && classes.length === 1 ? ` in class '${classes[0]}'` : ''
  return `${where}: ${names.join(', ')}${more}`
}
