import { Command } from 'commander'
import { type Review, reviewRun } from '../experiment/review.ts'
import { withExamples } from './failure.ts'
import { table } from './tables.ts'
import { print, printJson, shown } from './terminal.ts'

const what = "'flagged', or a file: a name on each line, or a CSV with a column 'file' such as suspects.csv"

export const reviewCommand = withExamples(
  new Command('review')
    .argument('<run>', "a run's directory")
    .option('--keep <images>', `keep these: ${what}`)
    .option('--drop <images>', 'drop these; flagged means those without a decision')
    .option('--unsure <images>', 'decide on these later')
    .option('--json', 'print one JSON object on standard output'),
  'deconfound review runs/…',
  'deconfound review runs/… --keep good.txt --drop flagged',
  'deconfound train photos/ --without runs/…/decisions.csv',
).action((run: string, { json, ...given }: Record<string, string> & { json?: boolean }) => {
  const review = reviewRun(run, given)
  if (json) printJson(review)
  else print(describeReview(review))
})

const listed = 20

function describeReview({ run, decisions, counts, undecided }: Review): string {
  const rows = [
    ['to keep', String(counts.keep)],
    ['to drop', String(counts.drop)],
    ['unsure', String(counts.unsure)],
    ['flagged, no decision yet', String(undecided.length)],
    ['decisions', shown(decisions)],
    ['the pictures', shown(`${run}/report.html`)],
  ]
  const more = undecided.length > listed ? [`and ${undecided.length - listed} more`] : []
  const names =
    undecided.length > 0
      ? ['', 'No decision yet, the most suspicious first:', ...undecided.slice(0, listed), ...more]
      : []
  return [table(rows), ...names].join('\n')
}
