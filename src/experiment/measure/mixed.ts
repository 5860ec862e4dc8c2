import { UserError } from '../../errors.ts'
import type { ExperimentResult } from '../store/schema.ts'

/** Circumstances that matter, and how many records are of each value. */
export type Mixed = Readonly<Record<string, Readonly<Record<string, number>>>>

/** Precision and engine, where the records are of several. */
export function mixedIn(results: readonly ExperimentResult[]): Mixed {
  const values = {
    precision: results.map(({ environment }) => environment.precision),
    engine: results.map(({ environment }) => environment.engine),
  }
  const counted = Object.entries(values).map(([name, all]) => {
    const different = [...new Set<string | number>(all)].sort()
    return [name, Object.fromEntries(different.map((one) => [one, all.filter((each) => each === one).length]))] as const
  })
  return Object.fromEntries(counted.filter(([, counts]) => Object.keys(counts).length > 1))
}

export function refusal(folder: string, mixed: Mixed): UserError {
  const facts = Object.entries(mixed).map(([name, counts]) => {
    const each = Object.entries(counts).map(([value, count]) => `${count} of ${value}`)
    return `its records differ in ${name} (${each.join(', ')})`
  })
  const remedy = 'Give --mixed to have them side by side all the same'
  return new UserError('usage', `Cannot make one table of '${folder}': ${facts.join(', and ')}. ${remedy}`)
}
