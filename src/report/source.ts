import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { UserError } from '../errors.ts'
import { parseConfigFile } from '../experiment/settings/config.ts'
import { readResult } from '../experiment/store/records.ts'
import { readMetrics } from '../experiment/store/run-folder.ts'
import {
  type AuditResult,
  auditSchema,
  type ExperimentResult,
  experimentSchema,
  type TrainingResult,
  trainingSchema,
} from '../experiment/store/schema.ts'
import { type Facts, readFacts, readScores, type Scores } from './facts.ts'
import { type LoadPicture, pictureLoader } from './pictures.ts'

/** The result of a run that a report can tell of. */
export type Outcome =
  | { readonly kind: 'experiment'; readonly result: ExperimentResult }
  | { readonly kind: 'training'; readonly result: TrainingResult }
  | { readonly kind: 'audit'; readonly result: AuditResult }

/** All that a report is drawn from. */
export interface Source {
  readonly run: string
  readonly outcome: Outcome
  /** null for a run that kept none */
  readonly facts: Facts | null
  readonly scores: Scores | null
  readonly metrics: readonly Readonly<Record<string, unknown>>[]
  readonly settings: Readonly<Record<string, unknown>>
  readonly picture: LoadPicture
}

const schemas = { experiment: experimentSchema, training: trainingSchema, audit: auditSchema }

/** Reads a finished run; a UserError where there is none, or none that a report tells of. */
export async function readSource(path: string): Promise<Source> {
  const run = resolve(path)
  const refuse = (facts: string): never => {
    throw new UserError('usage', `Cannot write a report of '${path}': ${facts}`)
  }
  const file = (name: string) => join(run, name)
  if (!existsSync(file('kind'))) refuse("it is not a run's directory; give one that a run made")
  const kind = readFileSync(file('kind'), 'utf8').trim()
  if (!Object.hasOwn(schemas, kind))
    refuse(`it is a run of kind '${kind}'; give one of ${Object.keys(schemas).join(', ')}`)
  if (!existsSync(file('result.json'))) refuse(`it has no result yet; finish it by deconfound resume ${path}`)
  const facts = readFacts(run)
  return {
    run,
    outcome: { kind, result: parsedResult(file('result.json'), kind as keyof typeof schemas) } as Outcome,
    facts,
    scores: facts && readScores(run),
    metrics: readMetrics(file('metrics.jsonl')),
    settings: parseConfigFile(readFileSync(file('config.yaml'), 'utf8'), file('config.yaml')),
    picture: await pictureLoader(run, facts),
  }
}

function parsedResult(path: string, kind: keyof typeof schemas): Outcome['result'] {
  try {
    return readResult(schemas[kind], JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    throw new UserError('data', `Cannot read '${path}': ${(error as Error).message}; restore it`)
  }
}
