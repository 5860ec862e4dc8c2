import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { writeAtomically } from '../files.ts'
import { csv, plainText, textCell } from '../report/csv.ts'
import { type Decision, decisions } from './answers.ts'
import { type IndexedRun, runFile } from './run-index.ts'
import { suspectsOf } from './suspects.ts'

// decisions.csv in a run: a line for each image that a person has judged. The page writes nothing else.

interface Decided {
  readonly decision: Decision
  readonly label: string
}

const name = 'decisions.csv'
const heads = ['decision', 'file', 'label']

/** What was decided, by the image's name. */
export function readDecisions(run: IndexedRun): Map<string, Decided> {
  const text = runFile(run, name)?.toString('utf8')
  if (text === undefined) return new Map()
  const [first, ...lines] = text.trimEnd().split('\n')
  const rows = lines.map((line) => /^(keep|drop|unsure),"((?:[^"]|"")*)","((?:[^"]|"")*)"$/.exec(line))
  if (first !== heads.join() || rows.includes(null)) {
    throw new UserError('data', `Cannot read '${name}' of this run: it is no list of decisions; mend or remove it`)
  }
  const cell = (quoted = '') => plainText(quoted.replaceAll('""', '"'))
  return new Map(
    (rows as RegExpExecArray[]).map(([, decision, file, label]) => [
      cell(file),
      { decision: decision as Decision, label: cell(label) },
    ]),
  )
}

/** Records what a person decided of the image at a rank; null takes a decision back. */
export function decide(
  run: IndexedRun,
  { rank, decision }: { rank: number; decision: Decision | null },
): { rank: number; decision: Decision | null; decided: Record<Decision, number> } {
  const image = suspectsOf(run).find((each) => each.rank === rank)
  if (!image) throw new UserError('usage', 'Cannot record this decision: the list has no image of this rank')
  const all = readDecisions(run)
  if (decision === null) all.delete(image.file)
  else all.set(image.file, { decision, label: image.label })
  const rows = Array.from(all, ([file, each]) => [each.decision, textCell(file), textCell(each.label)])
  writeAtomically(join(run.path, name), csv([heads, ...rows]))
  return { rank, decision, decided: countDecisions(all) }
}

/** How many images were decided upon which way. */
export function countDecisions(all: ReadonlyMap<string, Decided>): Record<Decision, number> {
  const counts = Object.fromEntries(decisions.map((each) => [each, 0])) as Record<Decision, number>
  for (const { decision } of all.values()) counts[decision]++
  return counts
}
