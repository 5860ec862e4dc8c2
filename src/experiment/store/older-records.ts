import { resultVersion } from './schema.ts'

// Results of older versions, brought to what schema.ts declares: the one place that knows the past.

/**
 * Defenses that flagged a share of the images whatever they saw, at the time when results had no verdict: a fact about old
 * records, which no entry can declare any more.
 */
const ranking = ['abl', 'd-br', 'dbd', 'cbd']

type Json = Readonly<Record<string, unknown>>

/** A result of any version as one of this version; what is no older result comes back as it is. */
export function migrate(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || 'version' in result) return result
  const old = result as Json
  return old.cleanAccuracy === undefined ? migrateTraining(old) : migrateExperiment(old)
}

function migrateExperiment(old: Json): Json {
  const { backdooredSeconds: _, ...kept } = old // the time is in `backdoored` where it is known
  const { attackSuccessRate, reference } = old as { attackSuccessRate: number | null; reference?: Json }
  const floor = reference?.attackSuccessRate
  const excess = typeof floor === 'number' && attackSuccessRate !== null ? attackSuccessRate - floor : null
  return {
    coverImages: 0,
    cleanImagesGiven: 0,
    attackSuccessRateOf: {},
    excessSuccessRate: excess,
    ...kept,
    version: resultVersion,
    suspicion: withVerdict(old),
    backdoored: plainFigures(old.backdoored),
    reference: plainFigures(old.reference),
    environment: environmentOf(old),
  }
}

function migrateTraining(old: Json): Json {
  return {
    skippedFiles: [],
    ...old,
    version: resultVersion,
    suspicion: withVerdict(old),
    environment: environmentOf(old),
  }
}

function plainFigures(figures: unknown): Json | null {
  return figures ? { collapsed: false, seconds: null, ...(figures as Json) } : null
}

/** The first engine was not numbered. */
function environmentOf({ environment }: Json): Json {
  return { engine: 1, ...(environment as Json) }
}

/** What the verdict is stood in the remarks; rates and counts had other names. */
function withVerdict({ suspicion, defense }: Json): Json | null {
  if (!suspicion) return null
  const { suspects, truePositives, falsePositives, ...same } = suspicion as Json
  const rates =
    truePositives === undefined ? {} : { truePositiveRate: truePositives, falsePositiveRate: falsePositives }
  const named = { ...same, flagged: suspects, ...rates }
  const { remarks = [], verdict } = suspicion as { remarks?: string[]; verdict?: string }
  if (verdict) return named
  const says = (words: string) => remarks.some((remark) => remark.startsWith(words))
  const judged = !ranking.includes(defense as string) && !says('Nothing could be judged')
  const judgement = suspects === 0 ? 'none' : says('The evidence is weak') ? 'weak' : 'found'
  const { estimatedRate = null, estimatedTarget = null } = suspicion as Json
  return {
    ...named,
    remarks,
    verdict: judged ? judgement : 'not-judged',
    estimatedRate: judged ? estimatedRate : null,
    estimatedTarget,
  }
}
