import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readCsv } from '../datasets/read-csv.ts'
import { UserError } from '../errors.ts'
import { lockFolder } from '../files.ts'
import { readSuspects, type Suspect } from '../report/suspects.ts'
import { plainText } from './store/csv.ts'
import { type Decided, type Decision, decisions, readDecisions, writeDecisions } from './store/decisions.ts'
import { recordedSettings } from './store/recorded-trigger.ts'

/** For each decision, `flagged` or a file that names images. */
export type GivenDecisions = Partial<Readonly<Record<Decision, string>>>

/** How far a review is. */
export interface Review {
  readonly run: string
  readonly decisions: string
  readonly counts: Readonly<Record<Decision, number>>
  /** flagged images without a decision, the most suspicious first */
  readonly undecided: readonly string[]
}

/**
 * Records decisions on images of a run in its `decisions.csv`, and says how far the review is. Later decisions replace
 * earlier ones on the same image; `flagged` means the flagged images without a decision. The images are not touched.
 */
export function reviewRun(run: string, given: GivenDecisions = {}): Review {
  const suspects = suspectsOf(run, 'review')
  const path = resolve(run, 'decisions.csv')
  const wanted = decisions.flatMap((decision) => {
    const source = given[decision]
    return source === undefined ? [] : [{ decision, source }]
  })
  if (wanted.length === 0) return reviewOf(run, suspects, readDecisions(path))
  const lock = lockFolder(resolve(run))
  try {
    const decided = readDecisions(path)
    const named = wanted.filter(({ source }) => source !== 'flagged')
    for (const { decision, source } of named) {
      for (const { file, label } of suspectsIn(source, suspects, run)) decided.set(file, { label, decision })
    }
    for (const { decision, source } of wanted) {
      if (source !== 'flagged') continue
      for (const { file, label, flagged } of suspects)
        if (flagged && !decided.has(file)) decided.set(file, { label, decision })
    }
    writeDecisions(path, decided)
    return reviewOf(run, suspects, decided)
  } finally {
    lock.release()
  }
}

function reviewOf(run: string, suspects: readonly Suspect[], decided: ReadonlyMap<string, Decided>): Review {
  const count = (decision: Decision) => [...decided.values()].filter((each) => each.decision === decision).length
  return {
    run: resolve(run),
    decisions: resolve(run, 'decisions.csv'),
    counts: { keep: count('keep'), drop: count('drop'), unsure: count('unsure') },
    undecided: suspects.flatMap(({ file, flagged }) => (flagged && !decided.has(file) ? [file] : [])),
  }
}

/** The images of a run by their scores; a UserError where it has no list of them. */
export function suspectsOf(run: string, action: string): Suspect[] {
  const list = join(run, 'suspects.csv')
  const refuse = (facts: string): never => {
    throw new UserError('usage', `Cannot ${action} '${run}': ${facts}`)
  }
  if (!existsSync(run)) refuse('there is no such directory; give that of a finished run')
  if (!existsSync(list)) refuse('it has no suspects.csv; give a finished run whose defense gives scores')
  return readSuspects(list)
}

/** The images that a file names: a CSV with a column `file` or `path`, or a name on each line. */
function suspectsIn(source: string, suspects: readonly Suspect[], run: string): Suspect[] {
  const refuse = (facts: string): never => {
    throw new UserError('usage', `Cannot decide on the images in '${source}': ${facts}`)
  }
  if (!existsSync(source)) refuse("there is no such file; give one that names images, or 'flagged'")
  const { data } = recordedSettings(run)
  const folder = typeof data === 'string' ? `${data}/` : ''
  const known = new Map(suspects.map((suspect) => [suspect.file, suspect]))
  const names = namesIn(readFileSync(source, 'utf8'))
  const found = names.map(
    (name) => known.get(name) ?? known.get(name.startsWith(folder) ? name.slice(folder.length) : name),
  )
  const missing = found.indexOf(undefined)
  if (missing !== -1)
    refuse(`'${names[missing]}' is no image of the run; name images as its suspects.csv does, one a line`)
  return found as Suspect[]
}

function namesIn(text: string): string[] {
  const [first, ...records] = readCsv(text)
  const column = first?.fields.findIndex((field) => ['file', 'path'].includes(field.trim().toLowerCase())) ?? -1
  if (column !== -1) return records.map(({ fields }) => plainText(fields[column] ?? ''))
  return text.split(/\r?\n/).filter((line) => line !== '')
}
