import type { DefenderView, DefenseEntry, Search } from '../defenses/defense.ts'
import { type DefenseName, defenses } from '../defenses/index.ts'
import { UserError } from '../errors.ts'
import { keepForReport } from '../report/keep.ts'
import { drawSuspects, writeSuspectLines, writeSuspects } from '../report/suspects.ts'
import { writeReport } from '../report/write-report.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { checkpointFolder } from '../training/checkpoint.ts'
import { openView } from './prepare/defend.ts'
import { keepingMetrics, type Listener } from './prepare/listener.ts'
import type { Config } from './settings/config.ts'
import { rememberEnvironment, settleRun } from './store/environment.ts'
import type { RunFolder } from './store/run-folder.ts'
import { type AuditResult, auditSchema, resultVersion } from './store/schema.ts'
import { judged, loadUntrusted, trainingSettings } from './train.ts'

/** Searches a person's own images for poison, by the part of a defense that searches: no model is trained. */
export async function runAudit(folder: RunFolder, listener: Listener): Promise<AuditResult> {
  const { config } = folder
  const compute = settleRun(folder)
  const began = performance.now()

  return arena(async () => {
    const { given, test, kept, heldOut, problems } = await loadUntrusted(config, listener)
    const environment = rememberEnvironment(folder, given, test, compute, listener.say)
    const { view, close } = openView(config, kept, {
      compute,
      random: new Random(config.seed).fork('defense'),
      checkpoints: checkpointFolder(folder.file('checkpoints'), listener.say),
      reporter: keepingMetrics(folder, listener),
    })
    const search = searchOf(config).run as (options: unknown, view: DefenderView) => ReturnType<Search<unknown>['run']>
    const suspicion = await search(config.options.defense, view)
    close()
    writeSuspects(folder.file('suspects.csv'), kept, suspicion)
    writeSuspectLines(folder.file('suspects.jsonl'), kept, suspicion)
    await drawSuspects(folder.file('suspects.png'), kept, suspicion)
    const facts = await keepForReport(folder, { images: kept, suspicion })
    const found = judged(suspicion, kept, facts)
    const result = auditSchema.parse({
      version: resultVersion,
      run: folder.path,
      verdict: found.verdict,
      flagged: found.flagged,
      flaggedShare: found.flagged / kept.labels.length,
      flaggedLabel: found.estimatedTarget === null ? null : given.classes[found.estimatedTarget],
      data: config.data ?? null,
      defense: config.defense,
      preset: config.preset,
      seed: config.seed,
      classes: given.classes,
      trainingImages: kept.labels.length,
      skippedFiles: problems,
      heldOutImages: heldOut?.labels.length ?? 0,
      suspicion: found,
      files: {
        suspects: folder.file('suspects.csv'),
        suspectsLines: folder.file('suspects.jsonl'),
        picture: folder.file('suspects.png'),
        report: folder.file('report.html'),
      },
      seconds: (performance.now() - began) / 1000,
      environment,
    })
    folder.writeJson('result.json', result)
    await writeReport(folder.path)
    return result
  })
}

/** The defenses that search without training a model. */
export const searching = (Object.entries(defenses) as [DefenseName, DefenseEntry][]).flatMap(([name, { search }]) =>
  search ? [name] : [],
)

function searchOf({ defense }: Pick<Config, 'defense'>): Search<never> {
  const { search } = defenses[defense] as DefenseEntry
  if (search) return search as Search<never>
  const facts = 'it does not search without training a model'
  throw new UserError('usage', `Cannot audit by '${defense}': ${facts}; choose ${searching.join(' or ')}`)
}

/** The settings of an audit: those of training on the same images, all of which are searched unless told otherwise. */
export function auditSettings(data: string, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const settings = trainingSettings(data, { holdout: 0, ...given })
  const { defense } = settings
  if (typeof defense === 'string' && Object.hasOwn(defenses, defense)) searchOf({ defense: defense as DefenseName })
  return settings
}
