import { Command } from 'commander'
import type { Estimate } from '../experiment/statistics.ts'
import { type Figures, type Summary, summarize, type Worst } from '../experiment/summary.ts'
import { markdownTable } from './tables.ts'

export const tableCommand = new Command('table')
  .argument('<records>', "a folder of records, as 'run --record' writes them")
  .description(
    'What recorded experiments say: attacks by defenses, ASR (excess over training on clean data) / CA (difference from it) in percent',
  )
  .option('--suspicion', 'how well the poison was named: AUROC, true / false positives in percent')
  .option('--json', 'print one JSON object on standard output')
  .action((records: string, { json, suspicion }: { json?: boolean; suspicion?: boolean }) => {
    const summary = summarize(records)
    if (json) process.stdout.write(`${JSON.stringify(summary)}\n`)
    else process.stdout.write(`${suspicion ? describe(summary, named) : describe(summary, obeyed, worst)}\n`)
  })

/** Rows of experiments by columns of defenses, in Markdown; above it what all have in common. */
function describe(
  { shared, cells, overall, worst }: Summary,
  show: (figures: Figures) => string,
  showWorst: (worst: Worst) => string = () => '',
): string {
  const experiments = [...new Set(cells.map(({ experiment }) => experiment))]
  const columns = [...new Set(['none', ...cells.map(({ defense }) => defense)])]
  const defenses = columns.filter((defense) => cells.some((cell) => cell.defense === defense && show(cell) !== ''))
  if (!cells.some((cell) => show(cell) !== '')) return 'No defense here said which images it suspects'
  const inColumns = <T extends { readonly defense: string }>(figures: readonly T[], show: (figures: T) => string) =>
    defenses.map((defense) => {
      const own = figures.find((each) => each.defense === defense)
      return own ? show(own) : ''
    })
  const rows = experiments.map((experiment) => [
    experiment,
    ...inColumns(
      cells.filter((cell) => cell.experiment === experiment),
      show,
    ),
  ])
  const means = inColumns(overall, show)
  if (means.some((each) => each !== '')) rows.push(['mean over attacks', ...means])
  const worsts = inColumns(worst, showWorst)
  if (rows.length > 1 && worsts.some((each) => each !== '')) rows.push(['worst run', ...worsts])
  const common = Object.entries(shared).map(([name, value]) =>
    name === 'dataset' || name === 'model' ? value : `${name} ${value}`,
  )
  const seeds = [...new Set(cells.flatMap((cell) => cell.seeds))].sort((a, b) => a - b)
  const several = seeds.length > 1
  const interval = several ? '; ± is half of a 95 % interval over runs' : ''
  const line = `${[...common, `seed${several ? 's' : ''} ${seeds.join(', ')}`].join(', ')}${interval}`
  return `${line}\n\n${markdownTable([['attack', ...defenses], ...rows])}`
}

function obeyed(figures: Figures): string {
  const { attackSuccessRate, excessSuccessRate, cleanAccuracy, accuracyDifference, collapsed } = figures
  const { runs } = cleanAccuracy
  const collapse = runs > 1 ? ` (${collapsed} of ${runs} collapsed)` : ' (collapsed)'
  const excess = excessSuccessRate ? ` (excess ${percents(excessSuccessRate)})` : ''
  const difference = accuracyDifference ? ` (${percents(accuracyDifference)})` : ''
  return `${percents(attackSuccessRate)}${excess} / ${percents(cleanAccuracy)}${difference}${collapsed > 0 ? collapse : ''}`
}

function worst({ excessSuccessRate, accuracyDifference }: Worst): string {
  if (accuracyDifference === null) return ''
  const excess = excessSuccessRate === null ? '–' : (100 * excessSuccessRate).toFixed(2)
  return `excess ${excess} / ${(100 * accuracyDifference).toFixed(2)}`
}

function named({ auroc, truePositives, falsePositives }: Figures): string {
  if (!falsePositives) return ''
  return `${written(auroc, 1, 3)}, ${percents(truePositives)} / ${percents(falsePositives)}`
}

const percents = (estimate: Estimate | null) => written(estimate, 100, 2)

/** A mean with its interval, where there are several runs. */
function written(estimate: Estimate | null, times: number, digits: number): string {
  if (!estimate) return '–'
  const { mean, margin } = estimate
  const rounded = (value: number) => (times * value).toFixed(digits)
  return margin === null ? rounded(mean) : `${rounded(mean)} ± ${rounded(margin)}`
}
