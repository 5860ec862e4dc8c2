import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { UserError } from '../../errors.ts'
import { flattenConfig, parseConfigFile, resolveConfig } from '../settings/config.ts'

/** The trigger of a run, or of a poisoned data set: what determines it, and which it was. */
export interface RecordedTrigger {
  /** the run's directory, or the truth beside a data set; nothing is written there */
  readonly path: string
  /** the trigger's identity, as recorded */
  readonly trigger: string
  /** the complete configuration as a flat record */
  readonly settings: Readonly<Record<string, unknown>>
  file(name: string): string
}

/** Opens what `run` or `poison` recorded of a trigger. */
export function openTrigger(path: string): RecordedTrigger {
  const file = (name: string) => join(resolve(path), name)
  const refuse = (facts: string): never => {
    const remedy = "give the directory of a run, or the folder '…-truth' beside a poisoned data set"
    throw new UserError('usage', `Cannot take a trigger from '${path}': ${facts}; ${remedy}`)
  }
  if (!existsSync(file('config.yaml'))) refuse('it has no config.yaml')
  return findTrigger(path) ?? refuse('no trigger is recorded there')
}

/** What a run's directory, or the truth beside a data set, records of a trigger; undefined where it records none. */
export function findTrigger(path: string): RecordedTrigger | undefined {
  const file = (name: string) => join(resolve(path), name)
  const record = ['result.json', 'truth.json'].map(file).find(existsSync)
  const trigger = record && triggerIn(record)
  return trigger === undefined ? undefined : { path: resolve(path), trigger, settings: recordedSettings(path), file }
}

/** The complete configuration in a run's directory, or in the truth beside a data set, as a flat record. */
export function recordedSettings(path: string): Record<string, unknown> {
  const file = join(resolve(path), 'config.yaml')
  return flattenConfig(resolveConfig(parseConfigFile(readFileSync(file, 'utf8'), file), `'${file}'`))
}

/**
 * The settings to measure against a recorded trigger: its own, with only the data set and the machine open to change.
 * Another data set than the recorded one starts from its own defaults.
 */
export function againstTrigger(
  { path, settings }: RecordedTrigger,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const free = ['dataset', 'data', 'device', 'precision', 'threads']
  const bound = Object.keys(given).find((name) => !free.includes(name) && !name.startsWith('dataset.'))
  if (bound)
    throw new UserError(
      'usage',
      `Cannot use '${bound}' with --trigger: '${path}' says what the trigger is; leave it out`,
    )
  const other = given.dataset !== undefined && given.dataset !== settings.dataset
  const kept = Object.entries(settings).filter(([name]) => !(other && (name === 'data' || name.startsWith('dataset.'))))
  return { ...Object.fromEntries(kept), ...given }
}

function triggerIn(record: string): string | undefined {
  try {
    const { trigger } = JSON.parse(readFileSync(record, 'utf8')) as { trigger?: unknown }
    return typeof trigger === 'string' ? trigger : undefined
  } catch (error) {
    throw new UserError('data', `Cannot read '${record}': ${(error as Error).message}; restore it`)
  }
}
