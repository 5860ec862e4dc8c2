import { type ModelName, models } from '../../models/index.ts'
import type { ModelEntry, Recognized, Shapes } from '../../models/model.ts'
import { parseSafetensors, type StoredTensor } from '../../tensor/safetensors.ts'
import { kebab } from '../settings/check.ts'

// Weights that were trained elsewhere: a safetensors file under torchvision's or timm's names, without a description.

/** Weights by name, as their file holds them; what is no weight is left out. */
export type StoredWeights = ReadonlyMap<string, StoredTensor>

/** Before all names of a network that was saved within another object. */
const wrappers = ['module.', '_orig_mod.', 'model.']
/** Counts the batches a batch norm has seen, which nothing here needs. */
const counter = /(^|\.)num_batches_tracked$/

/** Reads a file's weights under the names of the network itself; `source` names the file in errors. */
export function parseWeights(bytes: Uint8Array, source: string): StoredWeights {
  const { tensors } = parseSafetensors(bytes, source)
  let all = [...tensors].filter(([name]) => !counter.test(name))
  for (const wrapper of wrappers) {
    if (all.length > 0 && all.every(([name]) => name.startsWith(wrapper)))
      all = all.map(([name, tensor]) => [name.slice(wrapper.length), tensor])
  }
  return new Map(all)
}

/** A form that an entry of the catalogue of models recognizes. */
export interface RecognizedModel extends Recognized {
  readonly model: ModelName
}

/** The network that weights belong to, by their names and shapes: asks every entry of the catalogue. */
export function recognizeWeights(weights: StoredWeights): RecognizedModel | null {
  const shapes: Shapes = new Map([...weights].map(([name, { shape }]) => [name, shape]))
  for (const [model, entry] of Object.entries(models) as [ModelName, ModelEntry][]) {
    const found = entry.recognize?.(shapes)
    if (found && entry.options.safeParse(found.options).success) return { ...found, model }
  }
  return null
}

/** The flags that choose a form: `--model resnet --model.depth 34`; options of the default are left out. */
export function flagsFor({ model, options }: Pick<RecognizedModel, 'model' | 'options'>): string {
  const standard: Readonly<Record<string, unknown>> = models[model].options.parse({})
  const changed = Object.entries(options).filter(([name, value]) => value !== standard[name])
  return [`--model ${model}`, ...changed.map(([name, value]) => `--model.${kebab(name)} ${value}`)].join(' ')
}

/** The names of all architectures that are known by their weights. */
export const recognizable = Object.entries(models as Readonly<Record<string, ModelEntry>>).flatMap(([name, entry]) =>
  entry.recognize ? [name] : [],
)
