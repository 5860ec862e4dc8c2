import { Command } from 'commander'
import { writeCleanList } from '../experiment/clean-list.ts'
import { withExamples } from './failure.ts'
import { table } from './tables.ts'
import { print, printJson, shown, tell } from './terminal.ts'

export const cleanListCommand = withExamples(
  new Command('clean-list')
    .argument('<run>', "a run's directory")
    .requiredOption('--out <file>', 'the list to write, .csv or .jsonl: in the folder of the data or a folder above')
    .option('--json', 'print one JSON object on standard output'),
  'deconfound clean-list runs/… --out kept.csv',
  'deconfound train kept.csv',
).action((run: string, { out, json }: { out: string; json?: boolean }) => {
  const list = writeCleanList(run, out)
  const { kept, leftOut, unnamed } = list
  if (unnamed.length > 0) tell(`${unnamed.length} files are left out: their names are no text that a list can hold`)
  if (json) return printJson(list)
  print(
    table([
      ['kept', String(kept)],
      ['left out: to drop', String(leftOut.dropped)],
      ['left out: unsure', String(leftOut.unsure)],
      ['left out: flagged, no decision', String(leftOut.undecided)],
      ['list', shown(list.out)],
    ]),
  )
})
