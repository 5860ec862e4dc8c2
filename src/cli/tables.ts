import type { Evaluation, SuspicionQuality } from '../experiment/measure/evaluate.ts'
import type { ExperimentResult, PlainFigures } from '../experiment/store/schema.ts'
import { saidOf } from '../report/verdict.ts'
import { onOneLine, shown } from './terminal.ts'

/** Rows of equal length as a table with aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
  return aligned(rows)
    .map((row) => row.join('  ').trimEnd())
    .join('\n')
}

/** The same in Markdown, the first row being the heads. */
export function markdownTable([heads = [], ...rows]: readonly (readonly string[])[]): string {
  const rule = heads.map(() => '---')
  return aligned([heads, rule, ...rows])
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n')
}

function aligned(given: readonly (readonly string[])[]): string[][] {
  const rows = given.map((row) => row.map(onOneLine))
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] as number)))
}

/** A share in percent, or a dash. */
export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? '–' : `${(100 * share).toFixed(2)} %`
}

/** An experiment's result for a person. */
export function describeResult(result: ExperimentResult): string {
  const { suspicion, backdoored, reference, excessSuccessRate } = result
  const beside = [
    ...(backdoored ? [figuresRow('before the repair', backdoored)] : []),
    ...(reference ? [figuresRow('trained on clean data', reference)] : []),
    ...(reference ? [['excess success rate', percent(excessSuccessRate), 'over that']] : []),
  ]
  const rows = [...evaluationRows(result), ...beside, ...(suspicion ? suspicionRows(suspicion) : [])]
  const collapsed = result.collapsed ? '\nThe model has collapsed: it takes most images for one class\n' : ''
  const report = result.files ? `\nreport ${shown(result.files.report)}` : ''
  return `${table(rows)}\n${collapsed}model ${result.modelHash.slice(0, 16)} in ${shown(result.run)}${report}`
}

const figuresRow = (what: string, { cleanAccuracy, attackSuccessRate }: PlainFigures) => {
  return [what, percent(cleanAccuracy), `clean accuracy, attack success rate ${percent(attackSuccessRate)}`]
}

/** Which images a defense or detector flagged, and how well. */
export function suspicionRows(quality: SuspicionQuality): string[][] {
  const { verdict, flagged, estimatedRate, estimatedTarget, truePositiveRate, falsePositiveRate, auroc, remarks } =
    quality
  const label = estimatedTarget === null ? 'of several labels' : `most labelled ${estimatedTarget}`
  return [
    [
      'flagged',
      String(flagged),
      `true positive rate ${percent(truePositiveRate)}, false positive rate ${percent(falsePositiveRate)}`,
    ],
    ...(flagged > 0 && estimatedRate !== null ? [['estimated rate', percent(estimatedRate), label]] : []),
    ['verdict', verdict, saidOf(verdict)],
    ['AUROC of the score', auroc === null ? '–' : auroc.toFixed(3), ''],
    ...remarks.map((remark) => ['', '', remark]),
  ]
}

/** CA, ASR and RA with what each is over. */
export function evaluationRows(result: Evaluation): string[][] {
  return [
    ['clean accuracy', percent(result.cleanAccuracy), `of ${result.cleanImages} benign test images`],
    [
      'attack success rate',
      percent(result.attackSuccessRate),
      `of ${result.triggeredImages} triggered images of other classes`,
    ],
    ...Object.entries(result.attackSuccessRateOf).map(([name, rate]) => [`  of '${name}' alone`, percent(rate), '']),
    ['recovered accuracy', percent(result.recoveredAccuracy), 'of the same'],
  ]
}

/** What attacks that learn say of their own success, a row each. */
export function reportRows(report: Readonly<Record<string, Readonly<Record<string, number>>>>): string[][] {
  return Object.entries(report).map(([name, numbers]) => {
    const said = Object.entries(numbers).map(([what, value]) => `${what} ${Number(value.toPrecision(3))}`)
    return [name, said.join(', ')]
  })
}
