import { autocast, type Compute, type Precision } from '../tensor/device.ts'
import { keep, scope } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { type Linear, linearOf } from './linear.ts'
import { type Drawing, join, type Mode, type Module, type NamedTensors } from './module.ts'

/** What a classifier says about a batch, insides included; logits and embedding are fp32. */
export interface Output {
  /** [batch, classes] */
  readonly logits: Tensor
  /** what enters the last linear layer, [batch, width] */
  readonly embedding: Tensor
  /** outputs of the stages, [batch, channels, height, width] each, in the body's precision */
  readonly maps: readonly Tensor[]
}

/** A network from pixels (float in [0, 1], [batch, channels, height, width]) to an output. */
export interface Classifier extends Module {
  /** length of the embedding */
  readonly embeddingWidth: number
  /** weight of the last linear layer, [classes, embeddingWidth] */
  readonly head: Tensor
  /** `precision` is the run's unless given; scoring passes ask for fp32 */
  forward(images: Tensor, mode: Mode, precision?: Precision): Output
}

/** What a classifier is made of. */
export interface ClassifierParts {
  /** everything that has weights, the head included, by name */
  readonly parts: Readonly<Record<string, Module>>
  /** the last linear layer */
  readonly head: Linear
  /** of normalized images, channels last, in the run's precision: the embedding [batch, width], and the maps */
  body(images: Tensor, mode: Mode): Pick<Output, 'embedding' | 'maps'>
  /** of a body that draws in training */
  readonly drawing?: Drawing
}

/** A classifier from its parts: normalization inside, the body in the run's precision, the head in fp32. */
export function classifierOf(
  { parts, head, body, drawing }: ClassifierParts,
  { compute, normalization: pixels }: { compute: Compute; normalization: Normalization | null },
): Classifier {
  const normalization = normalizer(pixels)
  const weight = head.parameters.weight as Tensor
  return {
    ...join({ normalization, ...parts }),
    ...(drawing && { drawing }),
    embeddingWidth: weight.size(1),
    head: weight,
    forward: (images, mode, precision = compute.precision) =>
      scope(() => {
        const within = { device: compute.device, precision }
        const inside = autocast(within, () => body(normalization.forward(images), mode))
        // Logits in bf16 tie, and their losses reach 0.
        const embedding = inside.embedding.to({ dtype: 'float32' })
        return { logits: head.forward(embedding), embedding, maps: inside.maps }
      }),
  }
}

/** The last linear layer by itself, and the parameters of everything before it: the model's own tensors. */
export function splitHead({ parameters, head: weight }: Classifier): { body: NamedTensors; head: Linear } {
  const all = Object.entries(parameters)
  const name = all.find(([, parameter]) => parameter === weight)?.[0] as string
  const bias = parameters[name.replace(/weight$/, 'bias')] as Tensor
  const body = Object.fromEntries(all.filter(([, parameter]) => parameter !== weight && parameter !== bias))
  return { body, head: linearOf(weight, bias) }
}

/** Mean and deviation per channel that a model subtracts and divides by; null leaves pixels as they are. */
export interface Normalization {
  readonly mean: readonly number[]
  readonly deviation: readonly number[]
}

/** (pixels − mean) / deviation, channels last; a module, so that the normalization travels with the weights. */
export function normalizer(normalization: Normalization | null): Module & { forward(images: Tensor): Tensor } {
  if (!normalization) return { parameters: {}, buffers: {}, forward: (images) => images.contiguous('channelsLast') }
  const constant = (values: readonly number[]) => keep(tensor(values, [1, values.length, 1, 1]))
  const mean = constant(normalization.mean)
  const deviation = constant(normalization.deviation)
  return {
    parameters: {},
    buffers: { mean, deviation },
    forward: (images) => images.sub(mean).div(deviation).contiguous('channelsLast'),
  }
}
