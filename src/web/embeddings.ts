import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { type KeptPortraits, readPortraits } from '../experiment/store/portraits.ts'
import { describeModel } from '../experiment/store/saved-model.ts'
import { principalComponents } from '../report/embedding/principal.ts'
import { scope } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import type { Embeddings, Panel } from './answers.ts'
import { hasFile, type IndexedRun, runFile } from './run-index.ts'

const drawing = z.object({
  method: z.enum(['t-sne', 'principal-components']),
  drawn: z.array(z.object({ title: z.string(), places: z.array(z.tuple([z.number(), z.number()])) })).min(1),
})

/** A run's embeddings in two dimensions: as `figure3` drew them, else by their principal components. */
export async function readEmbeddings(run: IndexedRun): Promise<Embeddings> {
  const kept = portraitsOf(run)
  const { labels, places } = kept
  return {
    classes: classesOf(run, labels),
    labels: [...labels],
    poisoned: poisonedOf(run, places),
    panels: drawnBefore(run, labels.length) ?? components(kept),
  }
}

/** The portraits of a run; a UserError where it kept none. */
export function portraitsOf({ path }: IndexedRun): KeptPortraits {
  if (!hasFile(path, 'portraits.safetensors')) {
    throw new UserError('usage', 'This run kept no embeddings: they come with the end of an experiment')
  }
  return readPortraits(join(path, 'portraits.safetensors'))
}

/** undefined where nothing was drawn, or of another sample. */
function drawnBefore(run: IndexedRun, count: number): Panel[] | undefined {
  const read = drawing.safeParse(json(run, 'figure3.json'))
  if (!read.success || read.data.drawn.some(({ places }) => places.length !== count)) return undefined
  const method = read.data.method === 't-sne' ? 't-SNE' : 'principal components'
  return read.data.drawn.map(({ title, places }) => ({ title, method, places: fitted(places.flat()) }))
}

function components({ labels, portraits }: KeptPortraits): Panel[] {
  return Array.from(portraits, ([title, { width, values }]) => ({
    title,
    method: 'principal components' as const,
    places: fitted(scope(() => principalComponents(tensor(values, [labels.length, width])).numbers())),
  }))
}

/** x and y in turn, moved and scaled alike so that both lie in [-1, 1]. */
function fitted(flat: readonly number[]): number[] {
  const middles: number[] = []
  let half = 0
  for (const axis of [0, 1]) {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (let i = axis; i < flat.length; i += 2) {
      low = Math.min(low, flat[i] as number)
      high = Math.max(high, flat[i] as number)
    }
    middles.push((low + high) / 2)
    half = Math.max(half, (high - low) / 2)
  }
  return flat.map((value, i) => Number(((value - (middles[i % 2] as number)) / (half || 1)).toFixed(4)))
}

/** Which images of the sample are poisoned; null where the run does not know. */
function poisonedOf(run: IndexedRun, places: Int32Array): boolean[] | null {
  const read = z.object({ poisoned: z.array(z.int()) }).safeParse(json(run, 'truth.json'))
  if (!read.success) return null
  const poisoned = new Set(read.data.poisoned)
  return Array.from(places, (place) => poisoned.has(place))
}

/** Names of the classes, from the model where there is one; else their numbers. */
function classesOf({ path }: IndexedRun, labels: Int32Array): readonly string[] {
  if (hasFile(path, 'model.safetensors')) return describeModel(join(path, 'model.safetensors')).classes
  const count = labels.reduce((most, label) => Math.max(most, label + 1), 0)
  return Array.from({ length: count }, (_, label) => `class ${label}`)
}

/** undefined where there is no such file, or no JSON in it. */
function json(run: IndexedRun, name: string): unknown {
  try {
    return JSON.parse(runFile(run, name)?.toString('utf8') ?? 'null')
  } catch {
    return undefined
  }
}
