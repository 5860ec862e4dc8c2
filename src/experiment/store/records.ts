import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import type { AttackEntry } from '../../attacks/attack.ts'
import { attacks } from '../../attacks/index.ts'
import { UserError } from '../../errors.ts'
import { makeFolder, writeAtomically } from '../../files.ts'
import { type Config, firstDifference, flattenConfig, isIncidental, resolveConfig } from '../settings/config.ts'
import { namesFile, withoutFiles } from '../settings/file-options.ts'
import { migrate } from './older-records.ts'
import { type RunFolder, readMetrics } from './run-folder.ts'
import { type ExperimentResult, experimentSchema, resultVersion } from './schema.ts'

// Finished experiments kept as one small file each, without this machine's paths: result, configuration, metrics. Named
// by what was run, on which images and in which precision, so that a second run of the same finds it.

/** What a result is of besides its configuration: the images themselves, and the precision. */
export interface Identity {
  readonly precision: string
  /** of training and test images, as `hashOfData` gives it */
  readonly data: string
}

/** Eight hexadecimal digits of SHA-256 over both sets' own hashes. */
export function hashOfData({ trainHash, testHash }: { trainHash: string; testHash: string | null }): string {
  return createHash('sha256').update(`${trainHash} ${testHash}`).digest('hex').slice(0, 8)
}

export function identityOf({ environment }: Pick<ExperimentResult, 'environment'>): Identity {
  return { precision: environment.precision, data: hashOfData(environment) }
}

/** Writes a finished run's record into the folder `results`; returns its path. */
export function writeRecord(results: string, folder: RunFolder, result: ExperimentResult): string {
  makeFolder(results)
  const record = {
    result: experimentSchema.parse({ ...result, run: basename(result.run), files: undefined }),
    config: withoutPaths(folder.config),
    metrics: readMetrics(folder.file('metrics.jsonl')),
  }
  const path = recordPath(results, folder.config, identityOf(result))
  writeAtomically(path, `${JSON.stringify(record, null, 1)}\n`)
  return path
}

/** The recorded result of such a run, where there is one; a record of another configuration in its place is an error. */
export function readRecord(results: string, config: Config, identity: Identity): ExperimentResult | undefined {
  const path = recordPath(results, config, identity)
  if (!existsSync(path)) return undefined
  const found = readRecordFile(path)
  const other = firstDifference(found.config, config)
  if (other) {
    const facts = `'${path}' is there with ${other.name} ${other.values[0]}, not ${other.values[1]}`
    throw new UserError('usage', `Cannot record this run: ${facts}; choose another folder`)
  }
  return found.result
}

/** A record, its configuration with the defaults of settings that it is too old for. */
export function readRecordFile(path: string): { config: Config; result: ExperimentResult } {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8'))
    const result = readResult(experimentSchema, record.result)
    return { config: resolveConfig(record.config, `'${path}'`), result }
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError('data', `Cannot read the record '${path}': ${(error as Error).message}; restore or remove it`)
  }
}

/** A result of this version or an older one. */
export function readResult<Schema extends z.ZodType>(schema: Schema, result: unknown): z.output<Schema> {
  const version = (result as { version?: unknown } | undefined)?.version
  if (typeof version === 'number' && version > resultVersion)
    throw new Error(`it is of version ${version}, which a newer deconfound wrote`)
  const read = schema.safeParse(migrate(result))
  if (read.success) return read.data
  throw new Error(`it holds no result (${z.prettifyError(read.error).split('\n')[0]})`)
}

/** The settings of a configuration but for files and folders, which mean nothing on another machine. */
export function withoutPaths(config: Config): Record<string, unknown> {
  const { data: _, clean: __, ...rest } = flattenConfig(config)
  return Object.fromEntries(Object.entries(rest).filter(([name]) => !namesFile(name)))
}

function recordPath(results: string, config: Config, identity: Identity): string {
  return join(results, `${recordName(config, identity)}.json`)
}

/** What was run, in which precision and on which images: the name of the record and of a sweep's run directory. */
export function recordName(config: Config, { precision, data }: Identity): string {
  return `${experimentName(config)}-${precision}-${data}`
}

/** What was run; of all that has a default what differs from it. */
export function experimentName(config: Config): string {
  const { dataset, attack, rate, 'class-rate': classRate, labelling, defense, preset, epochs, seed } = config
  const clean = config['clean-share'] > 0 ? [`clean${config['clean-share']}`] : []
  const name = [
    dataset,
    attack,
    ...changedAttackOptions(config),
    ...(labelling === 'all-to-one' ? [] : [labelling]),
    classRate === undefined ? `rate${rate}` : `class-rate${classRate}`,
    ...clean,
    defense,
    preset,
    ...changedDefenseOptions(config),
    ...Object.entries(otherChanges(config)).map(named),
    `${epochs}epochs`,
    `seed${seed}`,
  ].join('-')
  return name.replaceAll(/[^\w.=-]/g, '_')
}

/** The attack's options that are not its defaults. */
export function changedAttackOptions({ attack, options }: Config): string[] {
  const parts = Object.keys((attacks[attack] as AttackEntry).parts ?? {})
  const chosen = Object.fromEntries(parts.map((part) => [`attack.${part}`, options.attack[part]]))
  const standard = resolveConfig({ attack, ...chosen }).options.attack
  const usual = resolveConfig({ attack }).options.attack
  return Object.entries(withoutFiles('attack', options.attack))
    .filter(([key, value]) => value !== (parts.includes(key) ? usual : standard)[key])
    .map(named)
}

/** The defense's options that are not its preset's. */
export function changedDefenseOptions({ defense, preset, options }: Config): string[] {
  const usual = resolveConfig({ defense, preset }).options.defense
  return Object.entries(options.defense)
    .filter(([key, value]) => value !== usual[key])
    .map(named)
}

/** Settings that differ from their defaults, and neither name the experiment nor say how it is computed. */
export function otherChanges(config: Config): Record<string, unknown> {
  const { dataset, attack, defense, preset } = config
  const usual = flattenConfig(resolveConfig({ dataset, attack, defense, preset }))
  const changed = Object.entries(flattenConfig(config)).filter(
    ([name, value]) =>
      value !== usual[name] && !naming.includes(name) && !isIncidental(name) && !/^(attack|defense)\./.test(name),
  )
  return Object.fromEntries(changed)
}

const naming = [
  'dataset',
  'attack',
  'rate',
  'class-rate',
  'labelling',
  'clean-share',
  'defense',
  'preset',
  'epochs',
  'seed',
  'reference', // adds to a result and changes none
]

const named = ([key, value]: [string, unknown]) =>
  typeof value === 'boolean' ? `${value ? '' : 'no-'}${key}` : `${key}=${value}`
