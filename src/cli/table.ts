import { Command } from 'commander'
import type { PublishedFigure } from '../experiment/measure/published.ts'
import type { Estimate } from '../experiment/measure/statistics.ts'
import {
  type Cell,
  type Figures,
  type Missing,
  type Summary,
  summarize,
  type Worst,
} from '../experiment/measure/summary.ts'
import { markdownTable } from './tables.ts'
import { print, printJson } from './terminal.ts'

export const tableCommand = new Command('table')
  .argument('<records>', "a folder of records, as 'run --record' writes them")
  .option(
    '--suspicion',
    'how well the poison was flagged: AUROC, true / false positive rate in percent, poisoned images left',
  )
  .option('--mixed', 'also of records that differ in precision or engine')
  .option('--json', 'print one JSON object on standard output')
  .action((records: string, { json, suspicion, mixed }: { json?: boolean; suspicion?: boolean; mixed?: boolean }) => {
    const summary = summarize(records, { mixed: mixed ?? false })
    if (json) printJson(summary)
    else if (suspicion) print(describe(summary, flagged))
    else print(describe(summary, obeyed, { showWorst: worst, showMissing: unmeasured }))
  })

/** Rows of experiments by columns of defenses, in Markdown; above it what all have in common. */
function describe(
  { shared, mixed, cells, overall, worst, source, missing }: Summary,
  show: (figures: Figures) => string,
  { showWorst, showMissing }: { showWorst?: (worst: Worst) => string; showMissing?: (missing: Missing) => string } = {},
): string {
  const absent = showMissing ? missing : []
  const experiments = [...new Set([...cells, ...absent].map(({ experiment }) => experiment))]
  const columns = [...new Set(['none', ...[...cells, ...absent].map(({ defense }) => defense)])]
  const isShown = (cell: Cell) => show(cell) !== ''
  const defenses = columns.filter((defense) =>
    [...cells.filter(isShown), ...absent].some((cell) => cell.defense === defense),
  )
  if (defenses.length === 0) return 'No defense here flags images'
  const inColumns = <T extends { readonly defense: string }>(figures: readonly T[], show: (figures: T) => string) =>
    defenses.map((defense) => {
      const own = figures.find((each) => each.defense === defense)
      return own ? show(own) : ''
    })
  const rows = experiments.map((experiment) => {
    const own = <T extends { readonly experiment: string }>(all: readonly T[]) =>
      all.filter((each) => each.experiment === experiment)
    const shown = inColumns(own(cells), show)
    const unmeasured = showMissing ? inColumns(own(absent), showMissing) : []
    return [experiment, ...shown.map((text, i) => text || (unmeasured[i] ?? ''))]
  })
  const means = inColumns(overall, show)
  if (means.some((each) => each !== '')) rows.push(['mean over attacks', ...means])
  const worsts = showWorst ? inColumns(worst, showWorst) : []
  if (rows.length > 1 && worsts.some((each) => each !== '')) rows.push(['worst run', ...worsts])
  const common = Object.entries(shared).map(([name, value]) =>
    name === 'dataset' || name === 'model' ? value : `${name} ${value}`,
  )
  const seeds = [...new Set(cells.flatMap((cell) => cell.seeds))].sort((a, b) => a - b)
  const several = seeds.length > 1
  const notes = [
    ...(several ? ['± is half of a 95 % interval over runs'] : []),
    ...Object.entries(mixed).map(([name, counts]) => `records differ in ${name} (${Object.keys(counts).join(', ')})`),
    ...(source ? [`in brackets [ASR / CA] of ${source}`] : []),
    ...(absent.length > 0 ? [`${absent.length} cells are missing`] : []),
  ]
  const circumstances = [...common, ...(seeds.length > 0 ? [`seed${several ? 's' : ''} ${seeds.join(', ')}`] : [])]
  const line = [circumstances.join(', '), ...notes].join('; ')
  return `${line}\n\n${markdownTable([['attack', ...defenses], ...rows])}`
}

function obeyed(figures: Figures & Partial<Pick<Cell, 'published'>>): string {
  const { attackSuccessRate, excessSuccessRate, cleanAccuracy, accuracyDifference, collapsed } = figures
  const { runs } = cleanAccuracy
  const collapse = runs > 1 ? ` (${collapsed} of ${runs} collapsed)` : ' (collapsed)'
  const excess = excessSuccessRate ? ` (excess ${percents(excessSuccessRate)})` : ''
  const difference = accuracyDifference ? ` (${percents(accuracyDifference)})` : ''
  const own = `${percents(attackSuccessRate)}${excess} / ${percents(cleanAccuracy)}${difference}`
  return `${own}${collapsed > 0 ? collapse : ''}${beside(figures)}`
}

const unmeasured = (missing: Missing) => `missing${beside(missing)}`

/** What was published of a cell. */
function beside({ published }: { readonly published?: PublishedFigure }): string {
  if (!published) return ''
  const { attackSuccessRate, cleanAccuracy } = published
  const rate = attackSuccessRate === null ? '–' : (100 * attackSuccessRate).toFixed(2)
  return ` [${rate} / ${(100 * cleanAccuracy).toFixed(2)}]`
}

function worst({ excessSuccessRate, accuracyDifference }: Worst): string {
  if (accuracyDifference === null) return ''
  const excess = excessSuccessRate === null ? '–' : (100 * excessSuccessRate).toFixed(2)
  return `excess ${excess} / ${(100 * accuracyDifference).toFixed(2)}`
}

function flagged({ auroc, truePositiveRate, falsePositiveRate, poisonLeft }: Figures): string {
  if (!falsePositiveRate) return ''
  const left = poisonLeft ? `, ${written(poisonLeft, 1, 0)} left` : ''
  return `${written(auroc, 1, 3)}, ${percents(truePositiveRate)} / ${percents(falsePositiveRate)}${left}`
}

const percents = (estimate: Estimate | null) => written(estimate, 100, 2)

/** A mean with its interval, where there are several runs. */
function written(estimate: Estimate | null, times: number, digits: number): string {
  if (!estimate) return '–'
  const { mean, margin } = estimate
  const rounded = (value: number) => (times * value).toFixed(digits)
  return margin === null ? rounded(mean) : `${rounded(mean)} ± ${rounded(margin)}`
}
