import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { type Config, flattenConfig, incidental, resolveConfig } from './config.ts'
import type { SuspicionQuality } from './evaluate.ts'
import { changedAttackOptions, changedDefenseOptions } from './results.ts'
import type { ExperimentResult } from './run.ts'
import { type Estimate, estimate } from './statistics.ts'

// What a folder of records says, experiment by experiment: means over seeds, by what was done to the images and how the
// model was trained.

/** One attack under one defense. */
export interface Cell {
  /** what was done: attack, its changed options, and every other setting in which the folder's records differ */
  readonly experiment: string
  readonly defense: string
  readonly seeds: readonly number[]
  readonly cleanAccuracy: Estimate
  readonly attackSuccessRate: Estimate | null
  /** by how much it exceeds that of training on clean data, where the records say so */
  readonly excessSuccessRate: Estimate | null
  /** how many of the models take most images for one class */
  readonly collapsed: number
  readonly auroc: Estimate | null
  readonly truePositives: Estimate | null
  readonly falsePositives: Estimate | null
  readonly trainingSeconds: Estimate | null
}

/** The cells of a folder, and the settings that all its records share. */
export interface Summary {
  readonly shared: Readonly<Record<string, unknown>>
  readonly cells: readonly Cell[]
}

/** Reads and summarizes a folder of records. */
export function summarize(folder: string): Summary {
  const records = readRecords(folder)
  const settings = records.map(({ config }) => conditions(config))
  const names = [...new Set(settings.flatMap((each) => Object.keys(each)))].filter((name) => name !== 'attack')
  const differs = (name: string) => settings.some((each) => each[name] !== settings[0]?.[name])
  const different = names.filter(differs)
  const cells = new Map<string, { experiment: string; defense: string; runs: Run[] }>()
  for (const [i, { config, result }] of records.entries()) {
    const own = settings[i] as Record<string, unknown>
    const said = different.filter((name) => own[name] !== undefined).map((name) => `${name} ${own[name]}`)
    const experiment = [[config.attack, ...changedAttackOptions(config)].join(' '), ...said].join(', ')
    for (const { defense, run } of runsOf(config, result)) {
      const key = `${experiment}|${defense}`
      const cell = cells.get(key) ?? { experiment, defense, runs: [] }
      cells.set(key, cell)
      if (cell.runs.every(({ seed }) => seed !== run.seed)) cell.runs.push(run) // several repairs began with one model
    }
  }
  const shared = Object.fromEntries(Object.entries(settings[0] ?? {}).filter(([name]) => !differs(name)))
  return { shared, cells: [...cells.values()].map(({ runs, ...which }) => ({ ...which, ...ofAll(runs) })) }
}

interface Run {
  readonly seed: number
  readonly cleanAccuracy: number
  readonly attackSuccessRate: number | null
  readonly excessSuccessRate?: number | null
  readonly collapsed: boolean
  readonly suspicion: SuspicionQuality | null
  readonly trainingSeconds: number | null
}

/** The run itself, and plain training where the run repaired its model. */
function runsOf(config: Config, result: ExperimentResult): { defense: string; run: Run }[] {
  const run = { defense: defenseOf(config), run: { ...result, seed: config.seed } }
  const { backdoored } = result
  if (!backdoored) return [run]
  const { seconds: trainingSeconds, ...measured } = backdoored
  const plain = { ...measured, seed: config.seed, collapsed: false, suspicion: null, trainingSeconds }
  return [run, { defense: 'none', run: plain }]
}

function ofAll(runs: readonly Run[]): Omit<Cell, 'experiment' | 'defense'> {
  const over = (value: (run: Run) => number | null | undefined) =>
    estimate(runs.map(value).filter((each) => each !== null && each !== undefined))
  return {
    seeds: runs.map(({ seed }) => seed).sort((a, b) => a - b),
    cleanAccuracy: over(({ cleanAccuracy }) => cleanAccuracy) as Estimate,
    attackSuccessRate: over(({ attackSuccessRate }) => attackSuccessRate),
    excessSuccessRate: over(({ excessSuccessRate }) => excessSuccessRate),
    collapsed: runs.filter(({ collapsed }) => collapsed).length,
    auroc: over(({ suspicion }) => suspicion?.auroc),
    truePositives: over(({ suspicion }) => suspicion?.truePositives),
    falsePositives: over(({ suspicion }) => suspicion?.falsePositives),
    trainingSeconds: over(({ trainingSeconds }) => trainingSeconds),
  }
}

/** Every setting but the seed, the defense's, and those that are the computer's or said by the attack's changed options. */
function conditions(config: Config): Record<string, unknown> {
  const { rate, seed, preset, defense, labelling, 'class-rate': classRate, ...rest } = flattenConfig(config)
  const kept = Object.entries(rest).filter(([name]) => !incidental.includes(name) && !/^(attack|defense)\./.test(name))
  return {
    labelling: labelling === 'all-to-one' ? undefined : labelling, // the usual one goes without saying
    rate: classRate === undefined ? rate : undefined,
    'class-rate': classRate,
    ...Object.fromEntries(kept),
  }
}

/** A defense by name, preset and changed options. */
function defenseOf(config: Config): string {
  const { defense, preset } = config
  return [defense, ...(preset === 'default' ? [] : [preset]), ...changedDefenseOptions(config)].join(' ')
}

function readRecords(folder: string): { config: Config; result: ExperimentResult }[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError(
      'usage',
      `Cannot read '${folder}': there is no such folder; give one that 'run --record' wrote to`,
    )
  }
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  if (files.length === 0) {
    throw new UserError('usage', `Cannot make a table of '${folder}': it holds no records; 'run --record' writes some`)
  }
  return files.sort().map((file) => {
    const path = join(folder, file)
    try {
      const { config, result } = JSON.parse(readFileSync(path, 'utf8'))
      if (typeof result?.cleanAccuracy !== 'number') throw new Error('it holds no result')
      return { config: resolveConfig(config, `'${path}'`), result }
    } catch (error) {
      if (error instanceof UserError) throw error
      throw new UserError('data', `Cannot read the record '${path}': ${(error as Error).message}; restore or remove it`)
    }
  })
}
