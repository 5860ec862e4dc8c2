import { isIncidental } from '../experiment/settings/config.ts'
import type { Grid, GridCell } from './answers.ts'
import { type Experiment, experimentsOf, type Folders } from './experiments.ts'
import { textsOf } from './run-details.ts'
import type { RunIndex } from './run-index.ts'

/**
 * Attacks by defenses, filling in while experiments end: records of a folder, and what a sweep has at work or shall do; without a
 * folder, the experiments among the runs, and what sweeps shall do there. A cell holds means over its experiments, which differ in
 * their seeds.
 */
export function gridOf(index: RunIndex, folders: Folders): Grid {
  const source =
    folders.records === undefined
      ? 'the experiments among the runs'
      : 'the recorded experiments, and those of the sweep that are not'
  return arrange(experimentsOf(index, folders), source)
}

function arrange(experiments: readonly Experiment[], source: string): Grid {
  const usual = usualValues(experiments.map(({ settings }) => conditions(settings)))
  const nameOf = ({ settings }: Experiment) => {
    const { attack } = settings
    const alike = experiments.filter((each) => each.settings.attack === attack)
    const unusual = Object.entries(conditions(settings)).filter(([name, value]) => value !== usual[name])
    const options = namesThatDiffer(alike.map((each) => attackOptions(each.settings)))
    const said = [...unusual, ...options.map((name) => [name, settings[name]])]
    return [String(attack), ...said.map(([name, value]) => `${name} ${value}`)].join(', ')
  }
  const named = experiments.map((each) => ({ each, experiment: nameOf(each), defense: defenseOf(each.settings) }))
  const defenses = [...new Set(named.map(({ defense }) => defense))].sort()
  const rows = [...new Set(named.map(({ experiment }) => experiment))].sort().map((experiment) => ({
    experiment,
    cells: defenses.map((defense) => {
      const own = named.filter((each) => each.experiment === experiment && each.defense === defense)
      return own.length > 0 ? cellOf(own.map(({ each }) => each)) : null
    }),
  }))
  return { source, usual: textsOf(usual), defenses, rows }
}

/** The value of each setting that most records have. */
function usualValues(records: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown> {
  const names = [...new Set(records.flatMap((each) => Object.keys(each)))]
  return Object.fromEntries(
    names.map((name) => {
      const counts = new Map<unknown, number>()
      for (const { [name]: value } of records) if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1)
      return [name, [...counts].reduce((most, each) => (each[1] > most[1] ? each : most))[0]]
    }),
  )
}

/** Settings that have several values; a record that lacks one says nothing of it. */
function namesThatDiffer(records: readonly Readonly<Record<string, unknown>>[]): string[] {
  const names = [...new Set(records.flatMap((each) => Object.keys(each)))]
  return names.filter(
    (name) => new Set(records.map((each) => each[name]).filter((value) => value !== undefined)).size > 1,
  )
}

function cellOf(experiments: readonly Experiment[]): GridCell {
  const finished = experiments.filter(({ state }) => state === 'finished')
  return {
    recorded: finished.length,
    cleanAccuracy: mean(finished.map(({ cleanAccuracy }) => cleanAccuracy)),
    attackSuccessRate: mean(finished.map(({ attackSuccessRate }) => attackSuccessRate)),
    working: experiments.filter(({ state }) => state === 'training').map(({ progress }) => progress),
    brokenOff: experiments.filter(({ state }) => state === 'broken off' || state === 'damaged').length,
    waiting: experiments.filter(({ state }) => state === 'waiting').length,
  }
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length
}

/** What an experiment is of besides its attack, defense and seed. */
function conditions(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return chosen(settings, (name) => !apart.includes(name) && !/^(attack|defense)\./.test(name) && !isIncidental(name))
}

const apart = ['attack', 'defense', 'preset', 'seed', 'reference']

const attackOptions = (settings: Readonly<Record<string, unknown>>) =>
  chosen(settings, (name) => name.startsWith('attack.'))

function chosen(settings: Readonly<Record<string, unknown>>, is: (name: string) => boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => is(name)))
}

function defenseOf({ defense, preset }: Readonly<Record<string, unknown>>): string {
  return preset === undefined || preset === 'default' ? String(defense) : `${defense} ${preset}`
}
