import { Command } from 'commander'
import { writeReport } from '../report/write-report.ts'
import { withExamples } from './failure.ts'
import { print, printJson, shown, tell } from './terminal.ts'

export const reportCommand = withExamples(
  new Command('report')
    .argument('<run>', "a run's directory")
    .option('--json', 'print one JSON object on standard output'),
  'deconfound report runs/…',
).action(async (run: string, { json }: { json?: boolean }) => {
  const written = await writeReport(run)
  const gone = written.missingPictures.length
  if (gone > 0) tell(`${gone} pictures are gone: the report says so in their places`)
  if (json) printJson(written)
  else print(shown(written.report))
})
