import { Command } from 'commander'
import type { Estimate } from '../experiment/statistics.ts'
import { type Figures, type Summary, summarize } from '../experiment/summary.ts'
import { markdownTable } from './tables.ts'

export const tableCommand = new Command('table')
  .argument('<records>', "a folder of records, as 'run --record' writes them")
  .description(
    'What recorded experiments say: attacks by defenses, ASR (excess over training on clean data) / CA in percent',
  )
  .option('--suspicion', 'how well the poison was named: AUROC, true / false positives in percent')
  .option('--json', 'print one JSON object on standard output')
  .action((records: string, { json, suspicion }: { json?: boolean; suspicion?: boolean }) => {
    const summary = summarize(records)
    process.stdout.write(json ? `${JSON.stringify(summary)}\n` : `${describe(summary, suspicion ? named : obeyed)}\n`)
  })

/** Rows of experiments by columns of defenses, in Markdown; above it what all have in common. */
function describe({ shared, cells, overall }: Summary, show: (figures: Figures) => string): string {
  const experiments = [...new Set(cells.map(({ experiment }) => experiment))]
  const columns = [...new Set(['none', ...cells.map(({ defense }) => defense)])]
  const defenses = columns.filter((defense) => cells.some((cell) => cell.defense === defense && show(cell) !== ''))
  if (!cells.some((cell) => show(cell) !== '')) return 'No defense here said which images it suspects'
  const inColumns = (figures: readonly Figures[]) =>
    defenses.map((defense) => {
      const own = figures.find((each) => each.defense === defense)
      return own ? show(own) : ''
    })
  const rows = experiments.map((experiment) => [
    experiment,
    ...inColumns(cells.filter((cell) => cell.experiment === experiment)),
  ])
  const means = inColumns(overall)
  if (means.some((each) => each !== '')) rows.push(['mean over attacks', ...means])
  const common = Object.entries(shared).map(([name, value]) =>
    name === 'dataset' || name === 'model' ? value : `${name} ${value}`,
  )
  const seeds = [...new Set(cells.flatMap((cell) => cell.seeds))].sort((a, b) => a - b)
  const several = seeds.length > 1
  const interval = several ? '; ± is half of a 95 % interval over runs' : ''
  const line = `${[...common, `seed${several ? 's' : ''} ${seeds.join(', ')}`].join(', ')}${interval}`
  return `${line}\n\n${markdownTable([['attack', ...defenses], ...rows])}`
}

function obeyed({ attackSuccessRate, excessSuccessRate, cleanAccuracy, collapsed }: Figures): string {
  const { runs } = cleanAccuracy
  const collapse = runs > 1 ? ` (${collapsed} of ${runs} collapsed)` : ' (collapsed)'
  const excess = excessSuccessRate ? ` (excess ${percents(excessSuccessRate)})` : ''
  return `${percents(attackSuccessRate)}${excess} / ${percents(cleanAccuracy)}${collapsed > 0 ? collapse : ''}`
}

function named({ auroc, truePositives, falsePositives }: Figures): string {
  if (!falsePositives) return ''
  return `${auroc?.mean.toFixed(3) ?? '–'}, ${percents(truePositives)} / ${percents(falsePositives)}`
}

/** A mean in percent with its interval, where there are several runs. */
function percents(estimate: Estimate | null): string {
  if (!estimate) return '–'
  const { mean, margin } = estimate
  return `${(100 * mean).toFixed(2)}${margin === null ? '' : ` ± ${(100 * margin).toFixed(2)}`}`
}
