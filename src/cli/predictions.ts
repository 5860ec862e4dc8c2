import type { Classification } from '../experiment/measure/classify.ts'
import { csv, textCell } from '../experiment/store/csv.ts'
import { percent, table } from './tables.ts'

/** What was classified, and below what was refused. */
export function predictionTable(predictions: readonly Classification[]): string {
  const classified = predictions
    .filter(({ problem }) => problem === null)
    .map(({ file, guesses }) => [file, ...guesses.flatMap((each) => [each.class, percent(each.probability)])])
  const refused = predictions.flatMap(({ file, problem }) => (problem === null ? [] : [[file, `refused: ${problem}`]]))
  return [classified, refused]
    .filter((rows) => rows.length > 0)
    .map(table)
    .join('\n')
}

/** A line per file; class and probability as often as `top` says, or as there are classes. */
export function predictionCsv(predictions: readonly Classification[], top: number): string {
  const places = Array.from(
    { length: Math.min(top, Math.max(1, ...predictions.map(({ guesses }) => guesses.length))) },
    (_, k) => k,
  )
  const numbered = (name: string, k: number) => (k === 0 ? name : `${name}-${k + 1}`)
  const heads = places.flatMap((k) => [numbered('class', k), numbered('probability', k)])
  const rows = predictions.map(({ file, guesses, problem }) => {
    const cells = places.flatMap((k) => {
      const guess = guesses[k]
      return guess ? [textCell(guess.class), guess.probability.toFixed(6)] : ['', '']
    })
    return [textCell(file), problem === null ? '' : textCell(problem), ...cells]
  })
  return csv([['file', 'problem', ...heads], ...rows])
}
