import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { z } from 'zod'
import { UserError } from '../../errors.ts'
import { writeAtomically } from '../../files.ts'
import { type ModelName, models } from '../../models/index.ts'
import { type ModelEntry, requireSize, type Shapes } from '../../models/model.ts'
import { type Classifier, type Normalization, splitHead } from '../../nn/classifier.ts'
import { dispose, moveTo, stateOf } from '../../nn/module.ts'
import type { Compute } from '../../tensor/device.ts'
import { Blank, type Random } from '../../tensor/random.ts'
import { looksLikeSafetensors, parseSafetensors, type StoredTensor } from '../../tensor/safetensors.ts'
import { scope } from '../../tensor/scope.ts'
import { noGrad } from '../../tensor/tensor.ts'
import { pack, requireFit, restoreTensors, unpack } from '../../training/checkpoint.ts'
import type { ImageShape } from '../../training/images.ts'
import { type ForeignReading, readForeign, storedNormalization } from './foreign-model.ts'

/** What a model must know of itself to be used: it travels in the file with the weights. */
export interface ModelDescription {
  readonly model: ModelName
  readonly options: Readonly<Record<string, unknown>>
  readonly classes: readonly string[]
  /** channels, height, width */
  readonly shape: ImageShape
  /** null: the model takes pixels in [0, 1] as they are */
  readonly normalization: Normalization | null
  /** how images of other sizes are brought to this one */
  readonly fit: 'cover' | 'contain' | 'stretch'
  /** what their transparent parts lie on; black where it is not said, as in models from before it could be chosen */
  readonly ground?: 'black' | 'white' | undefined
  /** its classes are mere numbers, since nobody named them */
  readonly nameless?: boolean
}

const description = z
  .object({
    model: z.enum(Object.keys(models) as [ModelName, ...ModelName[]]),
    options: z.record(z.string(), z.unknown()),
    classes: z.array(z.string()).min(1).max(1_000_000),
    shape: z.tuple([z.int().min(1).max(16), z.int().min(1).max(4096), z.int().min(1).max(4096)]),
    normalization: z.object({ mean: z.array(z.number()), deviation: z.array(z.number()) }).nullable(),
    fit: z.enum(['cover', 'contain', 'stretch']),
    ground: z.enum(['black', 'white']).optional(),
  })
  .refine(({ shape, normalization: n }) => !n || (n.mean.length === shape[0] && n.deviation.length === shape[0]), {
    message: 'its normalization does not have a value for each channel',
  })

/** A network of this description with fresh weights, on the device of `compute`. */
export function buildModel(of: ModelDescription, how: { random: Random; compute: Compute }): Classifier {
  return moveTo(buildOnHost(of, how), how.compute.device)
}

/** The names and shapes of a network's weights, those of its head, and of what does not learn: built without memory for them. */
export function shapesOf(of: ModelDescription, compute: Compute): { shapes: Shapes; head: readonly string[] } {
  const model = buildOnHost(of, { random: new Blank('meta'), compute })
  try {
    const body = splitHead(model).body
    return {
      shapes: new Map(Object.entries(stateOf(model).tensors).map(([name, { shape }]) => [name, shape])),
      head: Object.keys(model.parameters).filter((name) => !(name in body)),
    }
  } finally {
    dispose(model)
  }
}

function buildOnHost(of: ModelDescription, { random, compute }: { random: Random; compute: Compute }): Classifier {
  const entry: ModelEntry = models[of.model]
  requireSize(of.model, entry, of.shape)
  const context = { random, compute, classes: of.classes.length, shape: of.shape, normalization: of.normalization }
  return scope(() => entry.build(entry.options.parse(of.options), context)) // weights are kept; what they were made of is not
}

/** Writes a model; returns its hash, SHA-256 over the file, which depends on weights and description alone. */
export function saveModel(path: string, model: Classifier, of: ModelDescription): string {
  const { tensors } = stateOf(model)
  for (const [name, tensor] of Object.entries(tensors)) {
    if (!Number.isFinite(noGrad(() => tensor.sum().item()))) {
      throw new UserError(
        'diverged',
        `Cannot save the model: '${name}' has values that are not numbers; try a lower learning rate`,
      )
    }
  }
  const chunks = pack(tensors, { format: 'deconfound model 1', description: JSON.stringify(of) })
  writeAtomically(path, chunks)
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

/** SHA-256 over a model's file. */
export function hashOfModel(path: string): string {
  return createHash('sha256').update(readBytes(path)).digest('hex')
}

/** Reads a model and puts it on the device of `compute`. What the file claims to be takes no memory until its weights fit. */
export function loadModel(
  path: string,
  compute: Compute,
  reading: ForeignReading = {},
): { model: Classifier; description: ModelDescription } {
  return modelFrom(readModel(path, reading), { path, compute })
}

/** The network that a file's content, as `parseModel` gives it, is of; `path` names the file in errors. */
export function modelFrom(
  { tensors, description: of }: ReturnType<typeof parseModel>,
  { path, compute }: { path: string; compute: Compute },
): { model: Classifier; description: ModelDescription } {
  requireWeights(of, tensors, { path, compute })
  const model = buildModel(of, { random: new Blank(), compute })
  restoreTensors(stateOf(model).tensors, tensors, path)
  return { model, description: of }
}

/** What a model file says of its model, or `reading` of one that was trained elsewhere. */
export function describeModel(path: string, reading: ForeignReading = {}): ModelDescription {
  return readModel(path, reading).description
}

/** A model's file as it lies there: its weights, and what it says of itself. */
export function readModel(path: string, reading: ForeignReading = {}) {
  return parseModel(readBytes(path), path, reading)
}

/** The same of a file's bytes. */
export function parseModel(bytes: Uint8Array, path: string, reading: ForeignReading = {}) {
  if (isForeign(bytes, path)) return readForeign(bytes, { ...reading, path })
  refuseReading(path, reading)
  const { tensors, metadata } = unpack(bytes, path)
  const described = checkedDescription(metadata, path)
  // An exported file says its normalization in the description alone.
  const { normalization } = described
  const isExported = metadata.get('format') === exportedFormat
  const added = isExported && normalization ? Object.entries(storedNormalization(normalization)) : []
  return { tensors: new Map([...tensors, ...added]), description: described }
}

/** What the metadata of an exported file call its format, the word by which other programs know tensors of PyTorch's layout. */
export const exportedFormat = 'pt'

/** Whether a tensor is no weight, but what is subtracted from pixels or divided by. */
export function isNormalization(name: string): boolean {
  return name.startsWith('normalization.')
}

/** What a file of ours says of its model; undefined for one that was not written here. */
export function parseDescription(bytes: Uint8Array, path: string): ModelDescription | undefined {
  return isForeign(bytes, path) ? undefined : checkedDescription(unpack(bytes, path).metadata, path)
}

function checkedDescription(metadata: ReadonlyMap<string, string>, path: string): ModelDescription {
  const parsed = description.safeParse(parseJson(metadata.get('description'), path))
  if (!parsed.success)
    throw new UserError('data', `Cannot use '${path}' as a model: ${parsed.error.issues[0]?.message}`)
  const options = models[parsed.data.model].options.safeParse(parsed.data.options)
  if (!options.success)
    throw new UserError('data', `Cannot use '${path}' as a model: ${options.error.issues[0]?.message}`)
  return parsed.data
}

/** Whether a file was not written here: those of ours have a description and a digest. */
function isForeign(bytes: Uint8Array, path: string): boolean {
  const { metadata } = parseSafetensors(bytes, path)
  return !metadata.has('description') && !metadata.has('digest')
}

/** A model of ours says itself how it is read. */
function refuseReading(path: string, reading: ForeignReading): void {
  const [given] = Object.entries(reading).find(([, value]) => value !== undefined) ?? []
  if (given)
    throw new UserError('usage', `Cannot read '${path}' with --${given}: the model says that itself; leave it out`)
}

/** Compares the shapes of what is stored with those of the network described, which is built without memory for its weights. */
function requireWeights(
  of: ModelDescription,
  stored: ReadonlyMap<string, StoredTensor>,
  { path, compute }: { path: string; compute: Compute },
): void {
  const shapes = buildOnHost(of, { random: new Blank('meta'), compute })
  try {
    requireFit(stateOf(shapes).tensors, stored, path)
  } finally {
    dispose(shapes)
  }
}

/** A file is read whole only where it begins as a model does; what is no file, such as a device, is not read at all. */
function readBytes(path: string): Uint8Array {
  const begin = new Uint8Array(9)
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      if (fstatSync(file).isFile() && looksLikeSafetensors(begin.subarray(0, readSync(file, begin)))) {
        return readFileSync(path)
      }
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw new UserError('usage', `Cannot read the model '${path}': ${(error as Error).message}`)
  }
  const remedy = 'give the model.safetensors of a finished run, or its directory'
  throw new UserError('data', `Cannot use '${path}' as a model: it is not a model; ${remedy}`)
}

function parseJson(text: string | undefined, path: string): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    throw new UserError('data', `Cannot use '${path}' as a model: it carries no description`)
  }
}
