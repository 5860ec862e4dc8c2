import type { Classifier } from '../../nn/classifier.ts'
import { packageVersion } from '../store/environment.ts'
import type { ModelDescription } from '../store/saved-model.ts'
import { factsOf } from './facts.ts'
import { ends, graphOf } from './graph.ts'
import { formatOnnx } from './onnx.ts'
import { traceModel } from './trace.ts'

/**
 * A classifier as an ONNX file: from pixels in [0, 1], in batches of any size, to logits and probabilities. The normalization is
 * part of the graph, and the names of the classes are in the metadata.
 */
export function onnxFile(model: Classifier, description: ModelDescription): Uint8Array {
  const { shape, classes } = description
  const perClass = ['batch', classes.length]
  return formatOnnx({
    ...graphOf(traceModel(model, shape)),
    inputs: [{ name: ends.images, shape: ['batch', ...shape], description: 'pixels in [0, 1], not normalized' }],
    outputs: [
      { name: ends.logits, shape: perClass, description: 'a number for each class' },
      { name: ends.probabilities, shape: perClass, description: 'softmax of the logits' },
    ],
    metadata: factsOf(description),
    producer: { name: 'deconfound', version: packageVersion() },
  })
}
