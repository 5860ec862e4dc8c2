import { UserError } from '../errors.ts'
import type { Comparison } from './answers.ts'
import { describeRun } from './run-details.ts'
import type { IndexedRun } from './run-index.ts'

/** Runs side by side, and the settings in which they differ. */
export function compareRuns(chosen: readonly IndexedRun[]): Comparison {
  if (chosen.length < 2) throw new UserError('usage', 'Cannot compare fewer than two runs: choose more in the list')
  const runs = chosen.map(describeRun)
  return { runs, different: differences(runs.map(({ settings }) => settings)) }
}

/** The settings that are not the same in all records: a value for each, '–' where a record lacks the setting. */
export function differences(records: readonly Readonly<Record<string, unknown>>[]): Record<string, readonly string[]> {
  const names = [...new Set(records.flatMap((each) => Object.keys(each)))]
  const rows = names.map((name) => [name, records.map((each) => valueIn(each, name))] as const)
  return Object.fromEntries(rows.filter(([, values]) => new Set(values).size > 1))
}

const valueIn = (record: Readonly<Record<string, unknown>>, name: string) =>
  Object.hasOwn(record, name) ? String(record[name]) : '–'
