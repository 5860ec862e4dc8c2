import { Command } from 'commander'
import { attacks } from '../attacks/index.ts'
import { datasets } from '../datasets/index.ts'
import { defenses } from '../defenses/index.ts'
import { detectors } from '../detectors/index.ts'
import { describeOptions } from '../experiment/settings/config.ts'
import { listRuns } from '../experiment/store/run-folder.ts'
import { models } from '../models/index.ts'
import { oneOf } from './options.ts'
import { percent, table } from './tables.ts'
import { print, printJson } from './terminal.ts'

const kinds = ['runs', 'datasets', 'attacks', 'defenses', 'detectors', 'models'] as const

export const listCommand = new Command('list')
  .argument('[what]', `of ${kinds.join(', ')}`, oneOf('list', kinds), 'runs')
  .option('--runs <folder>', "where runs' directories are", 'runs')
  .option('--json', 'print one JSON object on standard output')
  .action((what: string, { runs, json }) => {
    const entries = what === 'runs' ? listRuns(runs) : listEntries(what as keyof typeof catalogues)
    if (json) printJson({ [what]: entries })
    else print(what === 'runs' ? runTable(entries as ReturnType<typeof listRuns>) : entryTable(entries as Entry[]))
  })

const catalogues = { datasets, attacks, defenses, detectors, models } as const
type Entry = ReturnType<typeof listEntries>[number]

/** An entry's facts, whatever its catalogue declares about it. */
function listEntries(what: keyof typeof catalogues) {
  return Object.entries(catalogues[what]).map(([name, entry]) => {
    const { options, presets, ...facts } = entry as {
      options: Parameters<typeof describeOptions>[0]
      presets?: object
      title: string
    }
    const declared = Object.fromEntries(Object.entries(facts).filter(([, value]) => typeof value !== 'function'))
    const described = describeOptions(options, `${what.slice(0, -1)}.`)
    return {
      name,
      title: facts.title,
      ...declared,
      ...(presets ? { presets: Object.keys(presets) } : {}),
      options: described,
    }
  })
}

function entryTable(entries: readonly Entry[]): string {
  return entries
    .map((entry) => {
      const { name, title, options } = entry
      const { paper, presets = [] } = entry as { paper?: string; presets?: string[] }
      const lines = options.map(({ name, default: standard, description }) => {
        return ['', `--${name}`, description + (standard === null ? '' : ` (default: ${standard})`)]
      })
      return [
        `${name}: ${title}`,
        ...(paper ? [`  ${paper}`] : []),
        ...(presets.length > 1 ? [`  --preset ${presets.join(', ')} (default: ${presets[0]})`] : []),
        ...(lines.length > 0 ? [table(lines)] : []),
      ].join('\n')
    })
    .join('\n\n')
}

/** What is shown of a result of either kind. */
interface Shown {
  readonly cleanAccuracy?: number
  readonly attackSuccessRate?: number | null
  readonly heldOutAgreement?: number | null
  readonly suspicion?: { readonly verdict?: string; readonly flagged: number } | null
}

/** Runs with what tells them apart: their names alone say neither length nor rate nor seed. */
function runTable(runs: ReturnType<typeof listRuns>): string {
  if (runs.length === 0) return 'There are no runs here yet'
  const rows = runs.map(({ run, kind, state, settings, result }) => {
    const { cleanAccuracy, attackSuccessRate, heldOutAgreement, suspicion } = (result ?? {}) as Shown
    const { epochs, seed, rate, 'class-rate': classRate, 'dataset.size': size } = settings ?? {}
    const poisoning = ['training', 'repair'].includes(kind)
      ? '–'
      : shown(rate ?? (classRate && `${classRate} of class`))
    const flagged = suspicion ? `${suspicion.flagged} ${suspicion.verdict ?? ''}` : '–'
    return [
      run,
      state,
      ...[kind === 'repair' ? undefined : epochs, size, seed].map(shown),
      poisoning,
      percent(cleanAccuracy),
      percent(attackSuccessRate),
      percent(heldOutAgreement),
      flagged,
    ]
  })
  const heads = ['run', 'state', 'epochs', 'size', 'seed', 'rate', 'CA', 'ASR', 'agreement', 'flagged']
  return table([heads, ...rows])
}

const shown = (value: unknown) => (value === undefined ? '–' : String(value))
