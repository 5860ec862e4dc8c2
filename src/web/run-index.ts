import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { kindOf, type ListedRun, readRun } from '../experiment/store/run-folder.ts'
import { isLocked } from '../files.ts'
import type { RunLine, RunState } from './answers.ts'

// The runs of a folder by ids. What a run says is read again only when one of its files has changed, so that a page may ask
// every few seconds about a thousand runs.

export interface IndexedRun {
  readonly id: string
  /** its directory */
  readonly path: string
  readonly listed: ListedRun
  readonly line: RunLine
}

interface Found {
  readonly id: string
  readonly path: string
  /** of what it was read from: times and sizes */
  readonly stamp: string
  readonly when: number
}

export interface RunIndex {
  /** Runs from a place on, the newest first, and how many there are. `version` changes whenever any of them does. */
  list(from: number, count: number): { total: number; version: string; runs: IndexedRun[] }
  /** The run of an id; a UserError where there is none. */
  get(id: string): IndexedRun
}

/** Looks into the folder `runs` whenever it is asked. */
export function runIndex(runs: string): RunIndex {
  const known = new Map<string, { stamp: string; run: IndexedRun }>()

  function find(): Found[] {
    if (!existsSync(runs)) return []
    return readdirSync(runs, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => found(runs, entry.name))
      .sort((one, other) => other.when - one.when || (one.path < other.path ? 1 : -1))
  }

  function read({ id, path, stamp, when }: Found): IndexedRun {
    const before = known.get(id)
    if (before?.stamp === stamp) return before.run
    const listed = readRun(path)
    const run = { id, path, listed, line: lineOf(listed, { id, when, path }) }
    known.set(id, { stamp, run })
    return run
  }

  return {
    list(from, count) {
      const all = find()
      const stamps = all.map(({ id, stamp }) => id + stamp)
      const version = createHash('sha256').update(stamps.join()).digest('base64url')
      return { total: all.length, version, runs: all.slice(from, from + count).map(read) }
    },
    get(id) {
      const one = find().find((each) => each.id === id)
      if (!one) throw new UserError('usage', 'There is no such run here (any more)')
      return read(one)
    },
  }
}

/** None where the folder is no run's: the truth beside poisoned data has a configuration too. */
function found(folder: string, name: string): Found[] {
  const path = join(folder, name)
  const stats = ['config.yaml', 'kind', 'result.json', 'metrics.jsonl'].map((file) =>
    statSync(join(path, file), { throwIfNoEntry: false }),
  )
  const [config, kind, result] = stats
  if (!config || !kind || !kindOf(path)) return []
  const times = stats.map((each) => `${each?.mtimeMs} ${each?.size}`)
  const stamp = [...times, result ? '' : isLocked(path)].join()
  const id = createHash('sha256').update(name).digest('base64url').slice(0, 16)
  return [{ id, path, stamp, when: Math.max(...stats.map((each) => each?.mtimeMs ?? 0)) }]
}

/** Fields of any kind of result. */
interface AnyResult {
  readonly cleanAccuracy?: number
  readonly attackSuccessRate?: number | null
  readonly heldOutAgreement?: number | null
  readonly accuracyAfter?: number | null
  readonly suspicion?: { readonly verdict?: string; readonly flagged?: number } | null
}

function lineOf(
  { run, kind, state, settings, result }: ListedRun,
  { id, when, path }: { id: string; when: number; path: string },
): RunLine {
  const { cleanAccuracy, attackSuccessRate, heldOutAgreement, accuracyAfter, suspicion } = (result ?? {}) as AnyResult
  const { dataset, attack, defense, preset, epochs, seed, rate } = settings ?? {}
  const unfinished: RunState = isLocked(path) ? 'training' : 'broken off'
  const known = kind !== 'training' && kind !== 'repair' // what was poisoned
  return {
    id,
    name: run,
    kind,
    state: state === 'unfinished' ? unfinished : state,
    dataset: text(dataset),
    attack: known ? text(attack) : '–',
    defense: preset === undefined || preset === 'default' ? text(defense) : `${text(defense)} ${text(preset)}`,
    epochs: number(epochs),
    seed: number(seed),
    rate: known && attack !== undefined ? number(rate) : null,
    verdict: suspicion?.verdict ?? null,
    flagged: number(suspicion?.flagged),
    cleanAccuracy: number(cleanAccuracy ?? accuracyAfter),
    attackSuccessRate: number(attackSuccessRate),
    agreement: number(heldOutAgreement),
    when,
  }
}

const text = (value: unknown) => (value === undefined || value === null ? '–' : String(value))
const number = (value: unknown) => (typeof value === 'number' ? value : null)

/** The bytes of a run's own file; undefined where it has none. A link is not followed out of the run. */
export function runFile({ path }: IndexedRun, name: string): Buffer | undefined {
  const file = join(path, name)
  return hasFile(path, name) ? readFileSync(file) : undefined
}

/** Whether a run has a file of its own, which is no link. */
export function hasFile(path: string, name: string): boolean {
  return lstatSync(join(path, name), { throwIfNoEntry: false })?.isFile() ?? false
}
