import { UserError } from '../../errors.ts'
import { usualNormalizations } from '../../models/model.ts'
import type { Normalization } from '../../nn/classifier.ts'
import type { StoredTensor } from '../../tensor/safetensors.ts'
import type { ModelDescription } from './saved-model.ts'
import { parseWeights, recognizable, recognizeWeights } from './weights.ts'

// A model that was trained elsewhere is a model like ours once the user says what its file cannot: the names of its classes,
// the size of its images, and what is subtracted from pixels and divided by.

/** What a file of weights alone does not say of its model. */
export interface ForeignReading {
  /** in the order of the outputs; numbers from 0 where they are not given */
  readonly classes?: readonly string[] | undefined
  /** side of the images in pixels */
  readonly size?: number | undefined
  readonly normalization?: keyof typeof usualNormalizations | undefined
}

/** Of images whose size is not given: torchvision's and timm's usual one. */
export const usualSize = 224

/** A foreign model's weights and description; a UserError where no model of the catalogue has such weights. */
export function readForeign(
  bytes: Uint8Array,
  { path, classes: names, size: asked, normalization = 'imagenet' }: ForeignReading & { path: string },
): { tensors: Map<string, StoredTensor>; description: ModelDescription } {
  const weights = parseWeights(bytes, `'${path}'`)
  const found = recognizeWeights(weights)
  if (!found) {
    const facts = `it carries no description, and its names are those of no model that is known by them (${recognizable.join(', ')})`
    throw new UserError(
      'data',
      `Cannot use '${path}' as a model: ${facts}; give the model.safetensors of a finished run, or torchvision's weights`,
    )
  }
  const { model, options, classes, channels } = found
  const size = asked ?? found.size ?? usualSize
  if (names && names.length !== classes) {
    const facts = `it tells ${classes} classes apart, and ${names.length} names are given`
    throw new UserError(
      'usage',
      `Cannot use '${path}' as a model: ${facts}; name each class on a line, in the order of its outputs`,
    )
  }
  if (channels !== 3) {
    const facts = `it takes images of ${channels} channels, not of 3`
    throw new UserError('data', `Cannot use '${path}' as a model: ${facts}; give one for color images`)
  }
  const usual = usualNormalizations[normalization]
  return {
    tensors: new Map([...weights, ...Object.entries(storedNormalization(usual))]),
    description: {
      model,
      options,
      classes: names ?? Array.from({ length: classes }, (_, k) => String(k)),
      shape: [channels, size, size],
      normalization: usual,
      fit: 'cover',
      ...(names ? {} : { nameless: true }),
    },
  }
}

/** A normalization as the tensors that a model of ours holds. */
export function storedNormalization({ mean, deviation }: Normalization): Record<string, StoredTensor> {
  const held = (values: readonly number[]): StoredTensor => ({
    dtype: 'float32',
    shape: [1, values.length, 1, 1],
    bytes: new Uint8Array(Float32Array.from(values).buffer),
  })
  return { 'normalization.mean': held(mean), 'normalization.deviation': held(deviation) }
}
