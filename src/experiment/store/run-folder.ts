import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { UserError } from '../../errors.ts'
import { lockFolder, makeFolder, readJsonLines, writeAtomically } from '../../files.ts'
import { type Config, firstDifference, flattenConfig, parseConfigFile, resolveConfig } from '../settings/config.ts'
import { withAbsoluteFiles } from '../settings/file-options.ts'
import { epochKey, eventFile, type Metrics } from './event-file.ts'
import { requireWritable } from './new-folders.ts'

// A run's directory:
//   config.yaml         everything that determines the run; it alone repeats it
//   kind                `experiment` (truth known), `training` (a person's own folder), `audit` (of a folder, without a
//                       model), `repair` (of a model with clean images) or `tuning` (a search over settings)
//   environment.json    machine, versions, data hash
//   metrics.jsonl       a line per finished epoch
//   events.out.tfevents.…  the same for TensorBoard
//   checkpoints/        one file per stage, and the one before
//   result.json         at the end; model.safetensors, truth.json, suspects.csv, preview.png beside it;
//                       report.html, and what it is drawn from: report.json, scores.safetensors, pictures/

const kinds = ['experiment', 'training', 'audit', 'repair', 'tuning'] as const
export type RunKind = (typeof kinds)[number]

/** A run's directory, locked for one writer until `close`. */
export interface RunFolder {
  /** whether this process made it */
  readonly fresh: boolean
  readonly path: string
  readonly kind: RunKind
  readonly config: Config
  file(name: string): string
  writeJson(name: string, value: unknown): void
  /** undefined where the file is not there */
  readJson(name: string): unknown
  appendMetrics(line: Metrics): void
  close(): void
}

/** Makes a new directory under `parent`, named by time, what is run, and an id; never an old one. */
export function createRun(parent: string, kind: RunKind, config: Config): RunFolder {
  const time = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-')
  const experiment = `${config.dataset}-${config.attack}-${config.defense}`
  const own = { training: 'train', audit: 'audit', repair: 'repair' }[kind as string]
  const what = own ? `${own}-${config.defense}` : experiment
  const path = resolve(parent, `${time}-${what}-${randomBytes(3).toString('hex')}`)
  requireRuns(parent)
  try {
    makeFolder(path)
  } catch (error) {
    if (['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    const facts = (error as Error).message
    throw new UserError('usage', `Cannot make the run's directory '${path}': ${facts}; choose another folder by --runs`)
  }
  const folder = open(path, kind, withAbsoluteData(config), true)
  describeRun(folder)
  return folder
}

/** A UserError where no run's directory can be made under `parent`. */
export function requireRuns(parent: string): void {
  requireWritable(parent, 'choose another folder by --runs')
}

/** Opens the directory of this very experiment or search, begun before or not; where another process has it, a UserError. */
export function claimRun(path: string, config: Config, kind: RunKind = 'experiment'): RunFolder {
  requireRuns(dirname(path))
  makeFolder(path)
  const settled = withAbsoluteData(config)
  const folder = open(path, kind, settled, true)
  try {
    if (!existsSync(folder.file('config.yaml'))) {
      describeRun(folder)
      return folder
    }
    const file = folder.file('config.yaml')
    const begun = resolveConfig(parseConfigFile(readFileSync(file, 'utf8'), file), `'${file}'`)
    const other = firstDifference(begun, config)
    if (!other) return { ...folder, fresh: false, config: { ...begun, ...pathsOf(settled) } }
    const facts = `it was begun with ${other.name} ${other.values[0]}, not ${other.values[1]}`
    throw new UserError('usage', `Cannot go on with '${path}': ${facts}; remove it, or choose another folder`)
  } catch (error) {
    folder.close()
    throw error
  }
}

function describeRun({ kind, config, file }: RunFolder): void {
  writeAtomically(file('kind'), `${kind}\n`)
  writeAtomically(file('config.yaml'), stringify(flattenConfig(config))) // last: with it this is a run
}

/** The same configuration read from anywhere: a path relative to here would mean nothing to a later command elsewhere. */
export function withAbsoluteData(config: Config): Config {
  return { ...config, ...pathsOf(config) }
}

/** Where the data and other files are, absolute. */
function pathsOf({
  data,
  clean,
  without,
  options,
}: Config): Pick<Partial<Config>, 'data' | 'clean' | 'without' | 'options'> {
  return {
    options: {
      ...options,
      attack: withAbsoluteFiles('attack', options.attack),
      model: withAbsoluteFiles('model', options.model),
    },
    ...(data === undefined ? {} : { data: resolve(data) }),
    ...(clean === undefined ? {} : { clean: resolve(clean) }),
    ...(without === undefined ? {} : { without: resolve(without) }),
  }
}

/** Opens a run's directory to go on with it. */
export function openRun(path: string): RunFolder {
  const config = join(path, 'config.yaml')
  if (!existsSync(config))
    throw new UserError('usage', `Cannot resume '${path}': it is not a run's directory (it has no config.yaml)`)
  const kind = kindOf(path)
  if (!kind) throw new UserError('usage', `Cannot resume '${path}': it is the truth of a poisoned data set, and no run`)
  return open(
    resolve(path),
    kind,
    resolveConfig(parseConfigFile(readFileSync(config, 'utf8'), config), `'${config}'`),
    false,
  )
}

function open(path: string, kind: RunKind, config: Config, fresh: boolean): RunFolder {
  const lock = lockFolder(path)
  const file = (name: string) => join(path, name)
  const metrics = file('metrics.jsonl')
  cutTornLine(metrics)
  const events = eventFile(path)
  return {
    fresh,
    path,
    kind,
    config,
    file,
    writeJson: (name, value) => writeAtomically(file(name), `${JSON.stringify(value, null, 2)}\n`),
    readJson: (name) => (existsSync(file(name)) ? JSON.parse(readFileSync(file(name), 'utf8')) : undefined),
    appendMetrics(line) {
      appendFileSync(metrics, `${JSON.stringify(line)}\n`)
      events.append(line, () => readMetrics(metrics))
    },
    close: () => lock.release(),
  }
}

/** A crash may leave half a line; what is appended must start a new one. */
function cutTornLine(path: string): void {
  if (!existsSync(path)) return
  const text = readFileSync(path)
  const end = text.lastIndexOf(10) + 1
  if (end < text.length) truncateSync(path, end)
}

/** A run as lists show it. */
export interface ListedRun {
  readonly run: string
  readonly kind: RunKind
  readonly state: 'finished' | 'unfinished' | 'damaged'
  /** when it was begun, as in `2026-01-31T12:00:00.000Z` */
  readonly began: string
  /** its configuration as it stands there; null where that cannot be read */
  readonly settings: Readonly<Record<string, unknown>> | null
  /** null where there is none yet, or none that can be read */
  readonly result: unknown
}

/** The runs under `parent`, oldest first. */
export function listRuns(parent: string): ListedRun[] {
  if (!existsSync(parent)) return []
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(parent, entry.name, 'config.yaml')))
    .map((entry) => join(parent, entry.name))
    .sort()
    .flatMap((path) => (kindOf(path) ? [readRun(path)] : []))
    .sort((a, b) => (a.began < b.began ? -1 : Number(a.began > b.began)))
}

/** What a directory says of its run; a UserError where it is none. */
export function readRun(path: string): ListedRun {
  const kind = kindOf(path)
  if (!kind)
    throw new UserError('usage', `Cannot read '${path}': it is not a run's directory; give one that a run made`)
  const [config, result] = ['config.yaml', 'result.json'].map((name) => join(path, name)) as [string, string]
  const settings = readable(config, (text) => parseConfigFile(text, config))
  const found = existsSync(result) ? readable(result, (text) => JSON.parse(text)) : null
  const damaged = settings === undefined || found === undefined
  const state = damaged ? 'damaged' : found === null ? 'unfinished' : 'finished'
  const run = basename(path)
  return { run, kind, state, began: beginOf(run, config), settings: settings ?? null, result: found ?? null }
}

/** The time in a run's name; of a run that is named otherwise, that of its configuration. */
function beginOf(run: string, config: string): string {
  const [, day, time] = /^(\d{8})-(\d{6})-/.exec(run) ?? []
  if (day === undefined || time === undefined) return statSync(config).mtime.toISOString()
  const parted = (text: string, by: string) => text.replaceAll(/(?<!^)(?=(?:..)+$)/g, by)
  return `${day.slice(0, 4)}-${parted(day.slice(4), '-')}T${parted(time, ':')}.000Z`
}

/** What is made of a file's text; undefined where that fails. */
function readable<T>(path: string, parse: (text: string) => T): T | undefined {
  try {
    return parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** The kind of the run in a directory; undefined for what is no run: the truth of a poisoned data set has a configuration too. */
export function kindOf(path: string): RunKind | undefined {
  const file = join(path, 'kind')
  const kind = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
  return kinds.find((each) => each === kind)
}

/** The last word on each epoch of each stage: a resumed epoch replaces what was written before. None where nothing was trained. */
export function readMetrics(path: string): Metrics[] {
  if (!existsSync(path)) return []
  const last = new Map<string, Metrics>()
  for (const line of readJsonLines(path) as Metrics[]) {
    last.set(epochKey(line), line)
  }
  return [...last.values()]
}
