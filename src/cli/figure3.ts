import { Command, Option } from 'commander'
import { type Figure3Result, figure3 } from '../experiment/figure3.ts'
import { withExamples } from './failure.ts'
import { percent, table } from './tables.ts'
import { print, printJson, shown, tell } from './terminal.ts'

export const figure3Command = withExamples(
  new Command('figure3')
    .argument('<run>', "a finished experiment's directory")
    .addOption(
      new Option('--method <name>', 'how many dimensions become two')
        .choices(['t-sne', 'principal-components'])
        .default('t-sne'),
    )
    .option('--json', 'print one JSON object on standard output'),
  'deconfound figure3 runs/…',
).action(async (run: string, { method, json }: { method: Figure3Result['method']; json?: boolean }) => {
  const result = await figure3(run, { method, progress: tell })
  if (json) printJson(result)
  else print(describe(result))
})

function describe({ panels, files, images, poisonedImages }: Figure3Result): string {
  const share = (value: number | null) => (value === null ? '–' : percent(value))
  return [
    `${images} images, ${poisonedImages} of them poisoned. Of these, most of the ten nearest neighbors bear`,
    table([
      ['network', 'their true class', "the target's label", 'trustworthiness'],
      ...panels.map((each) => [
        each.portrait,
        share(each.trueClass),
        share(each.target),
        each.trustworthiness.toFixed(3),
      ]),
    ]),
    `picture: ${shown(files.picture)}`,
  ].join('\n')
}
