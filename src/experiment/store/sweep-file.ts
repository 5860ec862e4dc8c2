import { z } from 'zod'
import { UserError } from '../../errors.ts'
import { check } from '../settings/check.ts'
import { type Config, parseConfigFile, resolveConfig } from '../settings/config.ts'
import { experimentName } from './records.ts'

// A sweep's file: what its experiments share, a grid of settings or several, single experiments besides, and the folder of their records.

const value = z.union([z.string(), z.number(), z.boolean()])
const axes = z.record(z.string(), z.array(value).min(1))
const sweepFile = z.strictObject({
  record: z.string().describe('the folder of the records'),
  settings: z.record(z.string(), value).default({}).describe('what all experiments share, as in a configuration'),
  grid: axes.default({}).describe('all combinations of these'),
  grids: z.array(axes).default([]).describe('instead, several such: all combinations of each'),
  also: z.array(z.record(z.string(), value)).default([]).describe('single experiments besides'),
})

export interface Sweep {
  readonly record: string
  /** every experiment, checked */
  readonly cells: readonly Config[]
}

/** Reads a sweep; a mistake in any of its experiments is told before the first one runs. */
export function parseSweep(text: string, file: string): Sweep {
  const { record, settings, grid, grids, also } = check(sweepFile, parseConfigFile(text, file), {
    source: `'${file}'`,
    prefix: '',
  })
  const combined = [grid, ...grids].flatMap((axes) =>
    Object.keys(axes).length > 0 ? combinations(Object.entries(axes)) : [],
  )
  const cells = [...combined, ...also].map((own) => resolveConfig({ ...settings, ...own }, `'${file}'`))
  const named = new Set<string>()
  for (const cell of cells) {
    const name = [experimentName(cell), cell.data, cell.precision].join(' ')
    if (named.has(name)) {
      const facts = `two of its experiments are the same, '${experimentName(cell)}'`
      throw new UserError('usage', `Cannot use '${file}': ${facts}; remove one`)
    }
    named.add(name)
  }
  if (cells.length === 0)
    throw new UserError('usage', `Cannot use '${file}': it names no experiments in 'grid', 'grids' or 'also'`)
  return { record, cells }
}

/** All choices of one value each; the last name varies fastest. */
export function combinations(axes: readonly [string, readonly unknown[]][]): Record<string, unknown>[] {
  return axes.reduce<Record<string, unknown>[]>(
    (chosen, [name, values]) => chosen.flatMap((each) => values.map((value) => ({ ...each, [name]: value }))),
    [{}],
  )
}
