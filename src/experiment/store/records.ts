import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { AttackEntry } from '../../attacks/attack.ts'
import { attacks } from '../../attacks/index.ts'
import { UserError } from '../../errors.ts'
import { writeAtomically } from '../../files.ts'
import type { ExperimentResult } from '../run.ts'
import { type Config, firstDifference, flattenConfig, incidental, resolveConfig } from '../settings/config.ts'
import type { TrainingResult } from '../train.ts'
import { type RunFolder, readMetrics } from './run-folder.ts'

// Finished experiments kept as one small file each, without this machine's paths: result, configuration, metrics. Named
// by what was run, so that a second run of the same finds it.

/** Writes a finished run's record into the folder `results`; returns its path. */
export function writeRecord(results: string, folder: RunFolder, result: { readonly run: string }): string {
  mkdirSync(results, { recursive: true })
  const record = {
    result: { ...result, run: basename(result.run) },
    config: withoutPaths(folder.config),
    metrics: readMetrics(folder.file('metrics.jsonl')),
  }
  const path = recordPath(results, folder.config)
  writeAtomically(path, `${JSON.stringify(record, null, 1)}\n`)
  return path
}

/** The recorded result of such a run, where there is one; a record of another configuration in its place is an error. */
export function readRecord(results: string, config: Config): ExperimentResult | undefined {
  const path = recordPath(results, config)
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
    const { config, result } = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof result?.cleanAccuracy !== 'number') throw new Error('it holds no result')
    return { config: resolveConfig(config, `'${path}'`), result: withVerdict(result) }
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError('data', `Cannot read the record '${path}': ${(error as Error).message}; restore or remove it`)
  }
}

/**
 * Defenses that flagged a share of the images whatever they saw, at the time when results had no verdict: a fact about old
 * records, which no entry can declare any more.
 */
const ranking = ['abl', 'd-br', 'dbd', 'cbd']

/** Results of older versions say in their remarks what the verdict is. */
export function withVerdict<Result extends ExperimentResult | TrainingResult>(result: Result): Result {
  const { suspicion } = result
  if (!suspicion || suspicion.verdict) return result
  const { remarks = [], suspects } = suspicion as { remarks?: readonly string[]; suspects: number }
  const says = (words: string) => remarks.some((remark) => remark.startsWith(words))
  const judged = !ranking.includes(result.defense) && !says('Nothing could be judged')
  const verdict = !judged ? 'not-judged' : suspects === 0 ? 'none' : says('The evidence is weak') ? 'weak' : 'found'
  const estimatedRate = judged ? suspicion.estimatedRate : null
  return { ...result, suspicion: { ...suspicion, remarks, verdict, estimatedRate } }
}

function withoutPaths(config: Config): Record<string, unknown> {
  const { data: _, clean: __, ...rest } = flattenConfig(config)
  return rest
}

function recordPath(results: string, config: Config): string {
  return join(results, `${recordName(config)}.json`)
}

/** What was run; of all that has a default what differs from it. */
export function recordName(config: Config): string {
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
  return Object.entries(options.attack)
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
      value !== usual[name] && ![...naming, ...incidental].includes(name) && !/^(attack|defense)\./.test(name),
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
