import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { datasets } from '../../datasets/index.ts'
import { UserError } from '../../errors.ts'
import { labelsOf } from '../settings/attack-options.ts'
import type { Config } from '../settings/config.ts'
import {
  changedAttackOptions,
  changedDefenseOptions,
  identityOf,
  otherChanges,
  readRecordFile,
} from '../store/records.ts'
import type { ExperimentResult, PlainFigures } from '../store/schema.ts'
import { type Mixed, mixedIn, refusal } from './mixed.ts'
import { type PublishedFigure, readPublished } from './published.ts'
import { type Estimate, estimate, mean } from './statistics.ts'

// What a folder of records says, experiment by experiment: means over seeds, by what was done to the images and how the
// model was trained.

/** Means over the runs of one defense. */
export interface Figures {
  readonly defense: string
  readonly seeds: readonly number[]
  readonly cleanAccuracy: Estimate
  /** less that of training on clean data with the same seed, where the records say so */
  readonly accuracyDifference: Estimate | null
  readonly attackSuccessRate: Estimate | null
  /** by how much it exceeds that of training on clean data, where the records say so */
  readonly excessSuccessRate: Estimate | null
  /** how many of the models take most images for one class */
  readonly collapsed: number
  readonly auroc: Estimate | null
  readonly truePositiveRate: Estimate | null
  readonly falsePositiveRate: Estimate | null
  /** how many poisoned images are not flagged */
  readonly poisonLeft: Estimate | null
  readonly trainingSeconds: Estimate | null
}

/** One attack under one defense. */
export interface Cell extends Figures {
  /** what was done: attack, its changed options, and every other setting in which the folder's records differ */
  readonly experiment: string
  /** what was published of it, where the folder says so */
  readonly published?: PublishedFigure
}

/** A cell that the folder is to hold, and does not. */
export interface Missing {
  readonly experiment: string
  readonly defense: string
  readonly published?: PublishedFigure
}

export interface Worst {
  readonly defense: string
  readonly accuracyDifference: number | null
  readonly excessSuccessRate: number | null
}

/** The cells of a folder, and the settings that all its records share. */
export interface Summary {
  readonly shared: Readonly<Record<string, unknown>>
  readonly cells: readonly Cell[]
  /** circumstances in which the records differ although they should not matter: what, and its values */
  readonly mixed: Mixed
  /** where the published figures are from, where the folder has some */
  readonly source?: string
  readonly missing: readonly Missing[]
  /** of each defense, the run that loses the most accuracy and the one that obeys the most, beside training on clean data */
  readonly worst: readonly Worst[]
  /** means over all attacks, where there are several, for each defense that was run against all of them with one seed; intervals over seeds */
  readonly overall: readonly Figures[]
}

/**
 * Reads and summarizes a folder of records. Records of several precisions or engines are no one table: they are refused
 * unless `mixed` says that they may stand side by side.
 */
export function summarize(folder: string, { mixed = false }: { mixed?: boolean } = {}): Summary {
  const published = readPublished(folder)
  const records = readRecords(folder, { mayBeEmpty: published !== undefined })
  const several = mixedIn(records.map(({ result }) => result))
  if (!mixed && Object.keys(several).length > 0) throw refusal(folder, several)
  const planned = published?.planned ?? []
  const settings = [...records.map(({ config }) => config), ...planned].map(conditions)
  const names = [...new Set(settings.flatMap((each) => Object.keys(each)))]
  const differs = (name: string) => settings.some((each) => each[name] !== settings[0]?.[name])
  const different = names.filter(differs)
  const cells = new Map<string, { experiment: string; defense: string; runs: Run[] }>()
  const add = (experiment: string, defense: string, run: Run) => {
    const key = `${experiment}|${defense}`
    const cell = cells.get(key) ?? { experiment, defense, runs: [] }
    cells.set(key, cell)
    if (cell.runs.every(({ seed }) => seed !== run.seed)) cell.runs.push(run)
  }
  const plainNameOf = (config: Config) => {
    const own = conditions(config)
    const said = different.filter((name) => own[name] !== undefined).map((name) => `${name} ${own[name]}`)
    return [[config.attack, ...changedAttackOptions(config)].join(' '), ...said].join(', ')
  }
  const experiments = records.map(({ config, result }) => [plainNameOf(config), ...told(config, result)].join(', '))
  /** What sets apart records of one name: other images, or with one seed another precision. */
  function told(config: Config, result: ExperimentResult): string[] {
    const named = plainNameOf(config)
    const namesakes = records.filter((each) => plainNameOf(each.config) === named)
    const { data, precision } = identityOf(result)
    const drawn = datasets[config.dataset].data === null // anew for each seed
    const twins = namesakes.filter((each) => sameCell(each.config, config))
    return [
      ...(!drawn && namesakes.some((each) => identityOf(each.result).data !== data) ? [`data ${data}`] : []),
      ...(twins.some((each) => identityOf(each.result).precision !== precision) ? [precision] : []),
    ]
  }
  const publishedOf = ({ attack }: Config, defense: string) => {
    const figure = published?.of(attack, defense)
    return figure && { published: figure }
  }
  for (const [i, { config, result }] of records.entries()) {
    const accuracyDifference = differenceOf(result, result.reference)
    add(experiments[i] as string, defenseOf(config), {
      ...result,
      ...result.suspicion,
      accuracyDifference,
      poisonLeft: poisonLeftOf(result),
      seed: config.seed,
    })
  }
  // The model that several repairs began with stands for plain training where that has no record of its own.
  for (const [i, { config, result }] of records.entries()) {
    if (result.backdoored) add(experiments[i] as string, 'none', plainRun(config, result, result.backdoored))
  }
  const shared = Object.fromEntries(
    Object.entries(settings[0] ?? {}).filter(([name, value]) => value !== undefined && !differs(name)),
  )
  const all = [...cells.values()]
  const compared = new Map(
    planned.map((config) => {
      const which = { experiment: plainNameOf(config), defense: defenseOf(config) }
      return [`${which.experiment}|${which.defense}`, { ...which, ...publishedOf(config, which.defense) }]
    }),
  )
  return {
    shared,
    mixed: several,
    overall: overAttacks(all),
    worst: worstOf(all),
    cells: all.map(({ runs, ...which }) => ({
      ...which,
      ...figures(runs),
      ...compared.get(`${which.experiment}|${which.defense}`),
    })),
    ...(published && { source: published.source }),
    missing: [...compared].filter(([key]) => !cells.has(key)).map(([, which]) => which),
  }
}

const measures = [
  ...(['cleanAccuracy', 'accuracyDifference', 'attackSuccessRate', 'excessSuccessRate'] as const),
  ...(['auroc', 'truePositiveRate', 'falsePositiveRate', 'poisonLeft', 'trainingSeconds'] as const),
] as const
type Measure = (typeof measures)[number]

interface Run extends Readonly<Partial<Record<Measure, number | null>>> {
  readonly seed: number
  readonly collapsed: boolean
}

function plainRun({ seed }: Config, { reference }: ExperimentResult, { seconds, ...measured }: PlainFigures): Run {
  const { attackSuccessRate } = measured
  const floor = reference?.attackSuccessRate
  const excessSuccessRate = typeof floor === 'number' && attackSuccessRate !== null ? attackSuccessRate - floor : null
  const accuracyDifference = differenceOf(measured, reference)
  return { ...measured, seed, accuracyDifference, excessSuccessRate, trainingSeconds: seconds }
}

function differenceOf({ cleanAccuracy }: { cleanAccuracy: number }, reference?: PlainFigures | null): number | null {
  return reference ? cleanAccuracy - reference.cleanAccuracy : null
}

function poisonLeftOf({ suspicion, poisonedImages }: ExperimentResult): number | null {
  const found = suspicion?.truePositiveRate ?? null
  return found === null ? null : Math.round((1 - found) * poisonedImages)
}

interface Runs {
  readonly experiment: string
  readonly defense: string
  readonly runs: readonly Run[]
}

function worstOf(cells: readonly Runs[]): Worst[] {
  return [...new Set(cells.map(({ defense }) => defense))].map((defense) => {
    const runs = cells.filter((cell) => cell.defense === defense).flatMap((cell) => cell.runs)
    const [lost, obeyed] = [valuesOf(runs, 'accuracyDifference'), valuesOf(runs, 'excessSuccessRate')]
    return {
      defense,
      accuracyDifference: lost.length > 0 ? Math.min(...lost) : null,
      excessSuccessRate: obeyed.length > 0 ? Math.max(...obeyed) : null,
    }
  })
}

/** The end of an experiment's name that tells its images apart: a mean over data sets would be none over attacks. */
const ofOtherData = /, data [0-9a-f]{8}\b/

/** Means over attacks seed by seed, of the seeds that a defense was run with against all of them. */
function overAttacks(cells: readonly Runs[]): Figures[] {
  const attacked = cells.filter(({ runs }) => runs.every(({ attackSuccessRate }) => attackSuccessRate !== null))
  const attacks = new Set(attacked.map(({ experiment }) => experiment)).size
  if (attacks < 2 || attacked.some(({ experiment }) => ofOtherData.test(experiment))) return []
  return [...new Set(attacked.map(({ defense }) => defense))].flatMap((defense) => {
    const runs = attacked.filter((cell) => cell.defense === defense).flatMap((cell) => cell.runs)
    const bySeed = [...new Set(runs.map(({ seed }) => seed))].map((seed) => runs.filter((run) => run.seed === seed))
    const complete = bySeed.filter((ofSeed) => ofSeed.length === attacks)
    return complete.length > 0 ? [{ defense, ...figures(complete.map(meanRun)) }] : []
  })
}

function meanRun(runs: readonly Run[]): Run {
  const means = measures.map((measure) => {
    const values = valuesOf(runs, measure)
    return [measure, values.length === runs.length ? mean(values) : null]
  })
  const collapsed = runs.some((run) => run.collapsed)
  return { seed: (runs[0] as Run).seed, collapsed, ...Object.fromEntries(means) }
}

function figures(runs: readonly Run[]): Omit<Figures, 'defense'> {
  const over = (measure: Measure) => estimate(valuesOf(runs, measure))
  return {
    seeds: [...new Set(runs.map(({ seed }) => seed))].sort((a, b) => a - b),
    cleanAccuracy: over('cleanAccuracy') as Estimate,
    accuracyDifference: over('accuracyDifference'),
    attackSuccessRate: over('attackSuccessRate'),
    excessSuccessRate: over('excessSuccessRate'),
    collapsed: runs.filter(({ collapsed }) => collapsed).length,
    auroc: over('auroc'),
    truePositiveRate: over('truePositiveRate'),
    falsePositiveRate: over('falsePositiveRate'),
    poisonLeft: over('poisonLeft'),
    trainingSeconds: over('trainingSeconds'),
  }
}

function valuesOf(runs: readonly Run[], measure: Measure): number[] {
  return runs.map((run) => run[measure]).filter((value) => typeof value === 'number')
}

const sameCell = (one: Config, other: Config) => one.seed === other.seed && defenseOf(one) === defenseOf(other)

/** What was done besides attack and defense: what names it, and whatever is not as usual. */
function conditions(config: Config): Record<string, unknown> {
  const { dataset, model, epochs, attack, rate, labelling, 'class-rate': classRate, 'clean-share': clean } = config
  const labels = labelsOf(attack, config.options.attack)
  return {
    dataset,
    model,
    rate: labels === 'none' || classRate !== undefined ? undefined : rate,
    'class-rate': classRate,
    labelling: labelling === 'all-to-one' ? undefined : labelling,
    'clean-share': clean > 0 ? clean : undefined,
    epochs,
    ...otherChanges(config),
  }
}

/** A defense by name, preset and changed options. */
function defenseOf(config: Config): string {
  const { defense, preset } = config
  return [defense, ...(preset === 'default' ? [] : [preset]), ...changedDefenseOptions(config)].join(' ')
}

function readRecords(
  folder: string,
  { mayBeEmpty }: { mayBeEmpty: boolean },
): { config: Config; result: ExperimentResult }[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError(
      'usage',
      `Cannot read '${folder}': there is no such folder; give one that 'run --record' wrote to`,
    )
  }
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  if (files.length === 0 && !mayBeEmpty) {
    throw new UserError('usage', `Cannot make a table of '${folder}': it holds no records; 'run --record' writes some`)
  }
  return files.sort().map((file) => readRecordFile(join(folder, file)))
}
