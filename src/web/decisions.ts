import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { type Decided, type Decision, decisions, readDecisions, writeDecisions } from '../experiment/store/decisions.ts'
import { lockFolder } from '../files.ts'
import type { IndexedRun } from './run-index.ts'
import { suspectsOf } from './suspects.ts'

// decisions.csv in a run, as `review` keeps it: what a person decided of images. The page writes nothing else.

const fileOf = ({ path }: IndexedRun) => join(path, 'decisions.csv')

/** What was decided, by the images' names. */
export const decisionsOf = (run: IndexedRun): ReadonlyMap<string, Decided> => readDecisions(fileOf(run))

/** Records what a person decided of the image at a rank; null takes a decision back. */
export function decide(
  run: IndexedRun,
  { rank, decision }: { rank: number; decision: Decision | null },
): { rank: number; decision: Decision | null; decided: Record<Decision, number> } {
  const image = suspectsOf(run).find((each) => each.rank === rank)
  if (!image) throw new UserError('usage', 'Cannot record this decision: the list has no image of this rank')
  const lock = lockFolder(run.path)
  try {
    const all = readDecisions(fileOf(run))
    if (decision === null) all.delete(image.file)
    else all.set(image.file, { decision, label: image.label })
    writeDecisions(fileOf(run), all)
    return { rank, decision, decided: countDecisions(all) }
  } finally {
    lock.release()
  }
}

/** How many images were decided upon which way. */
export function countDecisions(all: ReadonlyMap<string, Decided>): Record<Decision, number> {
  const counts = Object.fromEntries(decisions.map((each) => [each, 0])) as Record<Decision, number>
  for (const { decision } of all.values()) counts[decision]++
  return counts
}
