import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { writeAtomically } from '../files.ts'
import { labelAround, nearestNeighbors, trustworthiness } from '../report/embedding/neighbors.ts'
import { drawPanels, type Panel } from '../report/embedding/panels.ts'
import { principalComponents } from '../report/embedding/principal.ts'
import { tsne } from '../report/embedding/tsne.ts'
import { arena, keep, scope } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { type KeptPortraits, type Portrait, readPortraits } from './store/portraits.ts'

/** Neighbors that are asked for their label, and whose keeping makes a drawing trustworthy. */
const neighborCount = 10

/** How a run's network sees the sample at one moment. */
export interface PanelFigures {
  /** as in the portraits, `confounder/end` */
  readonly portrait: string
  /** of the poisoned images, the share whose neighbors mostly bear their true class, and the share whose neighbors bear the target's label */
  readonly trueClass: number | null
  readonly target: number | null
  readonly trustworthiness: number
}

export interface Figure3Result {
  readonly run: string
  readonly images: number
  readonly poisonedImages: number
  readonly method: 't-sne' | 'principal-components'
  readonly panels: readonly PanelFigures[]
  readonly files: { readonly picture: string; readonly places: string }
}

interface Truth {
  readonly poisoned: readonly number[]
  readonly originalLabels: readonly number[]
}

/**
 * Draws a run's networks as figure 3 of CBD does: the embeddings of a sample of the training images at the beginning and at the
 * end, r of the confounder and z of the model, in two dimensions; and measures what the figure is to show, in the embeddings
 * themselves. Writes `figure3.svg` and `figure3.json` into the run's directory.
 */
export async function figure3(
  run: string,
  {
    method = 't-sne',
    progress = () => {},
  }: { method?: Figure3Result['method']; progress?: (line: string) => void } = {},
): Promise<Figure3Result> {
  const kept = readPortraits(join(run, 'portraits.safetensors'))
  const truth = readTruth(run)
  return arena(async () => {
    const sample = describeSample(kept, truth)
    const panels: { panel: Panel; figures: PanelFigures }[] = []
    for (const [name, portrait] of kept.portraits) {
      progress(`drawing ${name}`)
      panels.push(await drawOne(name, portrait, { method, sample }))
    }
    const files = { picture: join(run, 'figure3.svg'), places: join(run, 'figure3.json') }
    const result = {
      run,
      images: kept.labels.length,
      poisonedImages: sample.poisoned.filter(Boolean).length,
      method,
      panels: panels.map(({ figures }) => figures),
      files,
    }
    writeAtomically(files.picture, await drawPanels(panels.map(({ panel }) => panel)))
    writeAtomically(files.places, `${JSON.stringify({ ...result, drawn: panels.map(({ panel }) => panel) })}\n`)
    return result
  })
}

function readTruth(run: string): Truth {
  const path = join(run, 'truth.json')
  if (!existsSync(path)) {
    throw new UserError(
      'usage',
      `Cannot compare '${run}' with the truth: it has no truth.json; give a finished experiment`,
    )
  }
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** What is known of the sample: labels as given and before, and which images are poisoned. */
interface Sample {
  readonly given: readonly number[]
  readonly original: readonly number[]
  readonly poisoned: readonly boolean[]
}

function describeSample({ places, labels }: KeptPortraits, { poisoned, originalLabels }: Truth): Sample {
  const before = new Map(poisoned.map((place, i) => [place, originalLabels[i] as number]))
  return {
    given: [...labels],
    original: Array.from(places, (place, i) => before.get(place) ?? (labels[i] as number)),
    poisoned: Array.from(places, (place) => before.has(place)),
  }
}

async function drawOne(
  name: string,
  { width, values }: Portrait,
  { method, sample }: { method: Figure3Result['method']; sample: Sample },
): Promise<{ panel: Panel; figures: PanelFigures }> {
  const points = keep(tensor(values, [sample.given.length, width]))
  const drawn = method === 't-sne' ? await tsne(points) : keep(principalComponents(points))
  const { trueClass, target } = scope(() => aroundPoison(points, sample))
  const figures = { portrait: name, trueClass, target, trustworthiness: trustworthiness(points, drawn, neighborCount) }
  const flat = drawn.numbers()
  const places = sample.given.map((_, i) => [flat[2 * i], flat[2 * i + 1]] as [number, number])
  const panel = { title: name, ...sample, places, trueClass, target }
  for (const each of [points, drawn]) each.free()
  return { panel, figures }
}

/** What the poisoned images lie among: null where there are none. */
function aroundPoison(points: Tensor, { given, original, poisoned }: Sample) {
  const neighbors = nearestNeighbors(points, neighborCount)
  const around = neighbors.map((each) => labelAround(each, given))
  const places = poisoned.flatMap((is, i) => (is ? [i] : []))
  const share = (holds: (i: number) => boolean) =>
    places.length === 0 ? null : places.filter(holds).length / places.length
  return { trueClass: share((i) => around[i] === original[i]), target: share((i) => around[i] === given[i]) }
}
