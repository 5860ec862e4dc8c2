import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { makeFolder, writeAtomically } from '../../files.ts'
import { experimentName, withoutPaths } from './records.ts'
import type { Sweep } from './sweep-file.ts'

// What a sweep shall do, left beside its runs when it begins, so that who watches sees experiments that have not begun.

const schema = z.strictObject({
  record: z.string().describe('path of the folder of the records'),
  cells: z.array(
    z.strictObject({
      name: z.string().describe('of the experiment, as records and runs begin'),
      settings: z.record(z.string(), z.unknown()).describe('without paths'),
    }),
  ),
})

export type SweepPlan = z.output<typeof schema>

const ending = '.sweep.json'

/** Writes what a sweep shall do into the folder of its runs, in place of what it was to do before. */
export function writePlan(runs: string, { record, cells }: Sweep): void {
  const path = resolve(record)
  const plan: SweepPlan = {
    record: path,
    cells: cells.map((cell) => ({ name: experimentName(cell), settings: withoutPaths(cell) })),
  }
  const key = createHash('sha256').update(path).digest('hex').slice(0, 8)
  makeFolder(runs)
  writeAtomically(join(runs, `${basename(path)}-${key}${ending}`), `${JSON.stringify(plan)}\n`)
}

/** What the sweeps whose runs lie in a folder shall do; a damaged plan is left out. */
export function readPlans(runs: string): SweepPlan[] {
  const names = existsSync(runs) ? readdirSync(runs).filter((name) => name.endsWith(ending)) : []
  return names.sort().flatMap((name) => {
    try {
      return [schema.parse(JSON.parse(readFileSync(join(runs, name), 'utf8')))]
    } catch {
      return []
    }
  })
}

/** Whether a sweep is to fill a folder with records, which need not be there yet. */
export function isPlanned(runs: string, records: string): boolean {
  return readPlans(runs).some(({ record }) => record === resolve(records))
}

/** The experiment whose record or run has such a name, without precision and data; null where it is none of a sweep. */
export function experimentOf(name: string): string | null {
  return /^(.+)-(?:bf16|fp32)-[0-9a-f]{8}$/.exec(name)?.[1] ?? null
}
