import { statSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { readSuspects as readList, type Suspect } from '../report/suspects.ts'
import type { Suspects } from './answers.ts'
import { countDecisions, decisionsOf } from './decisions.ts'
import { hasFile, type IndexedRun } from './run-index.ts'

/** The list that was read last: a review asks for its pages one after another. */
let last: { stamp: string; list: readonly Suspect[] } | undefined

/** All images of suspects.csv, best first; a UserError where the run has none. */
export function suspectsOf({ path }: IndexedRun): readonly Suspect[] {
  if (!hasFile(path, 'suspects.csv')) {
    throw new UserError('usage', 'This run has no list of suspects: its defense flags no images, or it has not ended')
  }
  const file = join(path, 'suspects.csv')
  const { mtimeMs, size } = statSync(file)
  const stamp = `${file} ${mtimeMs} ${size}`
  if (last?.stamp !== stamp) last = { stamp, list: readList(file) }
  return last.list
}

/** A part of the list with what was decided of each image. */
export function readSuspects(run: IndexedRun, { from, count }: { from: number; count: number }): Suspects {
  const list = suspectsOf(run)
  const decided = decisionsOf(run)
  return {
    total: list.length,
    flagged: list.filter(({ flagged }) => flagged).length,
    decided: countDecisions(decided),
    suspects: list
      .slice(from, from + count)
      .map((each) => ({ ...each, decision: decided.get(each.file)?.decision ?? null })),
  }
}
