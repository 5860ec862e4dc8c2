import type { Classifier } from '../../nn/classifier.ts'
import { stateOf } from '../../nn/module.ts'
import { pack } from '../../training/checkpoint.ts'
import { exportedFormat, isNormalization, type ModelDescription } from '../store/saved-model.ts'
import { factsOf } from './facts.ts'

/**
 * A classifier's weights as a safetensors file that other programs load: nothing but the network's own tensors, under the names
 * of torchvision or timm where the network has such; what is subtracted from pixels and divided by is in the metadata.
 */
export function safetensorsFile(model: Classifier, description: ModelDescription): Uint8Array {
  const tensors = Object.entries(stateOf(model).tensors).filter(([name]) => !isNormalization(name))
  const about = { ...factsOf(description), format: exportedFormat, description: JSON.stringify(description) }
  return Buffer.concat(pack(Object.fromEntries(tensors), about))
}
