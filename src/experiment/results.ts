import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { AttackEntry } from '../attacks/attack.ts'
import { attacks } from '../attacks/index.ts'
import { UserError } from '../errors.ts'
import { writeAtomically } from '../files.ts'
import { type Config, flattenConfig, resolveConfig } from './config.ts'
import { type RunFolder, readMetrics } from './record.ts'

// Finished experiments kept as one small file each, without this machine's paths: result, configuration, metrics. Named
// by what was run, so that a second run of the same finds it.

/** Settings that say how a result is computed, not what it is a result of. */
const incidental = ['data', 'clean', 'device', 'precision', 'threads', 'checkpoint-every', 'holdout']

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
export function readRecord(results: string, config: Config): Record<string, unknown> | undefined {
  const path = recordPath(results, config)
  if (!existsSync(path)) return undefined
  const stored = JSON.parse(readFileSync(path, 'utf8')) as {
    result: Record<string, unknown>
    config: Record<string, unknown>
  }
  const wanted = withoutPaths(config)
  const found = withoutPaths(resolveConfig(stored.config, `'${path}'`)) // with the defaults of settings it is too old for
  const names = [...new Set([...Object.keys(found), ...Object.keys(wanted)])]
  const other = names.find((name) => !incidental.includes(name) && found[name] !== wanted[name])
  if (other) {
    const facts = `'${path}' is there with ${other} ${found[other]}, not ${wanted[other]}`
    throw new UserError('usage', `Cannot record this run: ${facts}; choose another folder`)
  }
  return stored.result
}

function withoutPaths(config: Config): Record<string, unknown> {
  const { data: _, clean: __, ...rest } = flattenConfig(config)
  return rest
}

/** Named by what was run; of the attack's options those that are not its defaults. */
function recordPath(results: string, config: Config): string {
  const { dataset, attack, rate, 'class-rate': classRate, labelling, defense, preset, epochs, seed } = config
  const clean = config['clean-share'] > 0 ? [`clean${config['clean-share']}`] : []
  const name = [
    ...[dataset, attack, ...changedOptions(config), ...(labelling === 'all-to-one' ? [] : [labelling])],
    ...[classRate === undefined ? `rate${rate}` : `class-rate${classRate}`, ...clean, defense, preset],
    ...[`${epochs}epochs`, `seed${seed}`],
  ].join('-')
  return join(results, `${name.replaceAll(/[^\w.=-]/g, '_')}.json`)
}

function changedOptions({ attack, options }: Config): string[] {
  const parts = Object.keys((attacks[attack] as AttackEntry).parts ?? {})
  const chosen = Object.fromEntries(parts.map((part) => [`attack.${part}`, options.attack[part]]))
  const standard = resolveConfig({ attack, ...chosen }).options.attack
  const usual = resolveConfig({ attack }).options.attack
  return Object.entries(options.attack)
    .filter(([key, value]) => value !== (parts.includes(key) ? usual : standard)[key])
    .map(([key, value]) => (typeof value === 'boolean' ? `${value ? '' : 'no-'}${key}` : `${key}=${value}`))
}
