import { basename } from 'node:path'
import { Command } from 'commander'
import { attacks } from '../attacks/index.ts'
import { datasets } from '../datasets/index.ts'
import { defenses } from '../defenses/index.ts'
import { detectors } from '../detectors/index.ts'
import { describeOptions } from '../experiment/settings/describe-options.ts'
import { type ListedRun, listRuns } from '../experiment/store/run-folder.ts'
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
    else print(what === 'runs' ? runTable(entries as ListedRun[]) : entryTable(entries as Entry[]))
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
  readonly accuracyAfter?: number | null
  readonly suspicion?: { readonly verdict?: string; readonly flagged: number } | null
}

type Column = (run: ListedRun, result: Shown, settings: Readonly<Record<string, unknown>>) => string

/** Runs with what tells them apart, when they began and what came out; a dash where there is nothing to say. */
const columns: Readonly<Record<string, Column>> = {
  run: ({ run }) => run,
  'began (UTC)': ({ began }) => began.slice(0, 16).replace('T', ' '),
  state: ({ state }) => state,
  data: ({ kind }, _, { dataset, data }) => (isOwn(kind) && typeof data === 'string' ? basename(data) : shown(dataset)),
  attack: ({ kind }, _, { attack }) => (isOwn(kind) ? none : shown(attack)),
  defense: (_run, _, { defense }) => shown(defense),
  epochs: ({ kind }, _, { epochs }) => (kind === 'repair' ? none : shown(epochs)),
  size: (_run, _, settings) => shown(settings['dataset.size']),
  seed: (_run, _, { seed }) => shown(seed),
  rate({ kind }, _, { rate, 'class-rate': classRate }) {
    return isOwn(kind) ? none : shown(rate ?? (classRate && `${classRate} of class`))
  },
  CA: (_run, { cleanAccuracy, accuracyAfter }) => percent(cleanAccuracy ?? accuracyAfter),
  ASR: (_run, { attackSuccessRate }) => percent(attackSuccessRate),
  agreement: (_run, { heldOutAgreement }) => percent(heldOutAgreement),
  verdict: (_run, { suspicion }) => shown(suspicion?.verdict),
  flagged: (_run, { suspicion }) => shown(suspicion?.flagged),
}

/** Columns in which every run has a dash are left out. */
function runTable(runs: readonly ListedRun[]): string {
  if (runs.length === 0) return 'There are no runs here yet'
  const cells = Object.entries(columns).map(([name, cell]) => [
    name,
    ...runs.map((run) => cell(run, (run.result ?? {}) as Shown, run.settings ?? {})),
  ])
  const kept = cells.filter(([, ...column]) => column.some((text) => text !== none))
  return table(['', ...runs].map((_, row) => kept.map((column) => column[row] as string)))
}

/** Whether a run is of a person's own images, which nobody poisoned knowingly. */
const isOwn = (kind: ListedRun['kind']) => ['training', 'audit', 'repair'].includes(kind)

const none = '–'
const shown = (value: unknown) => (value === undefined ? none : String(value))
