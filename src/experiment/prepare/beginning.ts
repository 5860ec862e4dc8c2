import { UserError } from '../../errors.ts'
import { formOf, usualNormalizations } from '../../models/model.ts'
import type { Classifier, Normalization } from '../../nn/classifier.ts'
import { stateOf } from '../../nn/module.ts'
import type { Compute } from '../../tensor/device.ts'
import { looksLikeSafetensors, type StoredTensor } from '../../tensor/safetensors.ts'
import { scope } from '../../tensor/scope.ts'
import { noGrad, tensorFromBytes } from '../../tensor/tensor.ts'
import { type ImageSet, measureNormalization } from '../../training/images.ts'
import type { Config } from '../settings/config.ts'
import { readNamedFile } from '../settings/file-options.ts'
import { type ModelDescription, parseDescription, shapesOf } from '../store/saved-model.ts'
import { flagsFor, parseWeights, recognizeWeights } from '../store/weights.ts'

// With what every network of a run begins: fresh weights, or those of a file (`--model.weights`).

/** What was taken of a file of weights. */
export interface BeginningReport {
  /** its content, `sha256-` and 16 digits */
  readonly hash: string
  /** where its names and its normalization come from */
  readonly source: 'saved here' | 'trained elsewhere'
  /** names of tensors that networks begin with */
  readonly taken: readonly string[]
  /** the last linear layer is fresh: why; null where it was taken */
  readonly newHead: string | null
  /** names in the file that the network does not have */
  readonly unknown: readonly string[]
}

export interface Beginning {
  /** null leaves pixels as they are */
  readonly normalization: Normalization | null
  /** null where networks begin fresh */
  readonly report: BeginningReport | null
  /** gives a network of the configured form the weights it begins with */
  fill(model: Classifier): void
}

/** The same as a result tells it, with a count in place of the names. */
export function countedBeginning(report: BeginningReport | null) {
  return report ? { beginning: { ...report, taken: report.taken.length } } : {}
}

/** How networks begin that are trained on these images; weights that do not fit the configured architecture are a UserError. */
export function beginningOf(config: Config, images: ImageSet, compute: Compute): Beginning {
  const { weights: path, weightsHash: hash } = config.options.model
  if (typeof hash !== 'string') {
    return { normalization: normalizationOf(config, images, undefined), report: null, fill() {} }
  }
  if (typeof path !== 'string') {
    throw new UserError('usage', `Cannot begin with the weights ${hash}: no file is named; give it by --model.weights`)
  }
  const bytes = readNamedFile(path, { hash, option: '--model.weights' })
  if (!looksLikeSafetensors(bytes)) {
    throw new UserError(
      'data',
      `Cannot begin with '${path}': it is no safetensors file; save the weights as one (safetensors.torch.save_file)`,
    )
  }
  const ours = parseDescription(bytes, path)
  const weights = parseWeights(bytes, `'${path}'`)
  const form = formTo(config, images)
  const { shapes, head } = shapesOf(form, compute)
  const ownNormalization = (name: string) => name.startsWith('normalization.')
  const network = [...shapes].filter(([name]) => !ownNormalization(name))
  const newHead = whyNewHead(weights, { shapes, head, theirs: ours?.classes, here: images.classes })
  const unknown = [...weights.keys()].filter((name) => !ownNormalization(name) && !shapes.has(name))
  const needed = network.filter(([name]) => !head.includes(name))
  refuseOthers(weights, { needed, unknown, path, form, compute })
  const taken = network.map(([name]) => name).filter((name) => newHead === null || !head.includes(name))
  return {
    normalization: normalizationOf(config, images, ours),
    report: { hash, source: ours ? 'saved here' : 'trained elsewhere', taken, newHead, unknown },
    fill(model) {
      const { tensors } = stateOf(model)
      for (const name of taken) {
        const { bytes, shape, dtype } = weights.get(name) as StoredTensor
        scope(() => noGrad(() => void tensors[name]?.copy_(tensorFromBytes(bytes, shape, dtype))))
      }
    },
  }
}

/** The configured form for these images; which normalization it has changes no shape that is compared. */
const formTo = (config: Config, { classes, shape }: ImageSet): ModelDescription => ({
  model: config.model,
  options: formOf(config.options.model),
  classes,
  shape,
  normalization: null,
  fit: 'cover',
})

/** Why the last linear layer cannot be taken; null where it can. */
function whyNewHead(
  weights: ReadonlyMap<string, StoredTensor>,
  {
    shapes,
    head,
    theirs,
    here,
  }: {
    shapes: ReadonlyMap<string, readonly number[]>
    head: readonly string[]
    theirs: readonly string[] | undefined
    here: readonly string[]
  },
): string | null {
  for (const name of head) {
    const stored = weights.get(name)
    if (!stored) return `'${name}' is not in the file`
    if (stored.shape.join() !== shapes.get(name)?.join()) return `${here.length} classes here, ${stored.shape[0]} there`
  }
  return theirs && theirs.join('\n') !== here.join('\n') ? 'the classes there have other names' : null
}

/** A UserError where the weights are of another network: the one that they are of is named where it is known. */
function refuseOthers(
  weights: ReadonlyMap<string, StoredTensor>,
  {
    needed,
    unknown,
    path,
    form,
    compute,
  }: {
    needed: readonly (readonly [string, readonly number[]])[]
    unknown: readonly string[]
    path: string
    form: ModelDescription
    compute: Compute
  },
): void {
  const found = recognizeWeights(weights)
  const missing = needed.find(([name]) => !weights.has(name))
  const other = needed.find(([name, shape]) => weights.get(name)?.shape.join() !== shape.join())
  // A deeper network has all names of a shallow one, and more that belong to it.
  const theirs = found && shapesOf({ ...form, model: found.model, options: found.options }, compute).shapes
  const more = theirs && unknown.find((name) => theirs.has(name))
  if (!missing && !other && !more) return
  const list = (shape: readonly number[] = []) => `[${shape.join(', ')}]`
  const facts = missing
    ? `'${missing[0]}' is not in it`
    : other
      ? `its '${other[0]}' is ${list(weights.get(other[0])?.shape)}, and ${list(other[1])} is needed`
      : `its '${more}' has no place`
  const otherSize = found?.size !== undefined && found.size !== form.shape[1] && found.model === form.model
  const flags = found && `it holds the weights of ${flagsFor(found)}: give these`
  const size = `it is for images of ${found?.size} pixels: give --dataset.size ${found?.size}`
  const remedy = (otherSize ? size : flags) ?? 'its names are those of no model that is known by them'
  throw new UserError('usage', `Cannot begin with '${path}' in model '${form.model}': ${facts}; ${remedy}`)
}

/** What is subtracted from pixels and divided by: as configured, else what belongs to the weights, else that of the images. */
function normalizationOf(
  { options }: Config,
  images: ImageSet,
  ours: ModelDescription | undefined,
): Normalization | null {
  const { normalization: chosen, weightsHash } = options.model
  const foreign = weightsHash !== undefined && !ours
  const name = chosen ?? (foreign ? 'imagenet' : 'data')
  if (chosen === undefined && ours) return ours.normalization
  if (name === 'data') return measureNormalization(images)
  if (images.shape[0] !== 3) {
    const facts = `it is of color images, and these have ${images.shape[0]} channels`
    throw new UserError('usage', `Cannot normalize by '${name}': ${facts}; give --model.normalization data`)
  }
  return usualNormalizations[name as keyof typeof usualNormalizations]
}

/** A beginning in sentences, for whoever watches the run. */
export function describeBeginning({ report, normalization }: Beginning, path: unknown): string[] {
  if (!report) return []
  const { taken, newHead, unknown, source } = report
  const few = unknown.slice(0, 5).join(', ') + (unknown.length > 5 ? ', …' : '')
  const numbers = (values: readonly number[]) => values.map((value) => Number(value.toFixed(3))).join(' ')
  return [
    `all networks begin with '${path}' (${source}): ${taken.length} tensors are taken`,
    newHead === null ? 'the last layer is taken too' : `the last layer is fresh: ${newHead}`,
    ...(unknown.length > 0
      ? [`${unknown.length} tensors are left out, whose names the model does not have: ${few}`]
      : []),
    normalization
      ? `pixels in [0, 1] less ${numbers(normalization.mean)}, divided by ${numbers(normalization.deviation)} (--model.normalization)`
      : 'pixels are taken as they are',
  ]
}
