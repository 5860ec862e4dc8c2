import type { Evaluation } from '../experiment/evaluate.ts'
import type { ExperimentResult } from '../experiment/run.ts'

/** Rows of equal length as a table with aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** A share in percent, or a dash. */
export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? '–' : `${(100 * share).toFixed(2)} %`
}

/** An experiment's result for a person. */
export function describeResult(result: ExperimentResult): string {
  const { suspicion } = result
  const rows = evaluationRows(result)
  if (suspicion) {
    rows.push([
      'suspects',
      String(suspicion.suspects),
      `${percent(suspicion.truePositives)} of the poison, ${percent(suspicion.falsePositives)} of the rest`,
    ])
    rows.push(['AUROC of suspicion', suspicion.auroc === null ? '–' : suspicion.auroc.toFixed(3), ''])
  }
  const collapsed = result.collapsed ? '\nThe model has collapsed: it takes most images for one class\n' : ''
  return `${table(rows)}\n${collapsed}model ${result.modelHash.slice(0, 16)} in ${result.run}`
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
    // records of older versions do not have it
    ...Object.entries(result.attackSuccessRateOf ?? {}).map(([name, rate]) => [
      `  of '${name}' alone`,
      percent(rate),
      '',
    ]),
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
