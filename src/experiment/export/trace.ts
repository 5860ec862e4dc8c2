import { UserError } from '../../errors.ts'
import type { Classifier } from '../../nn/classifier.ts'
import { stateOf } from '../../nn/module.ts'
import { type OperatorCall, recording } from '../../tensor/recording.ts'
import { scope } from '../../tensor/scope.ts'
import { noGrad, Tensor, zeros } from '../../tensor/tensor.ts'
import type { ImageShape } from '../../training/images.ts'

// What a network computes, as the list of operators that it calls. The network is shown two batches of different sizes: a
// number that is the same for both belongs to the network, and one that grows with the batch is a multiple of its size.

/** A multiple of the number of images in a batch. */
export interface OfBatch {
  readonly batches: number
}
export type Length = number | OfBatch

/** A tensor of the list: its number, and its lengths. */
export interface TracedTensor {
  readonly tensor: number
  readonly shape: readonly Length[]
}

/** An argument of an operator. */
export type Traced = TracedTensor | Length | boolean | string | null | readonly Traced[]

/** A call of an operator. */
export interface Step {
  readonly operator: string
  readonly given: readonly Traced[]
  readonly made: readonly TracedTensor[]
}

/** A tensor that was there before: a weight by its name, or a constant. */
export interface Weight {
  readonly name: string
  readonly shape: readonly number[]
  /** float32, row-major */
  readonly bytes: Uint8Array
}

export interface Trace {
  readonly steps: readonly Step[]
  /** by the tensors' numbers */
  readonly weights: ReadonlyMap<number, Weight>
  readonly images: TracedTensor
  /** [batch, classes] */
  readonly logits: TracedTensor
}

const batches = [2, 3] as const

/** The operators that lead from float32 images in [0, 1], [batch, channels, height, width], to logits, in evaluation mode and fp32. */
export function traceModel(model: Classifier, shape: ImageShape): Trace {
  const [first, second] = batches.map((batch) => traceBatch(model, [batch, ...shape]))
  return merged(first as Trace, second as Trace) as Trace
}

function traceBatch(model: Classifier, shape: readonly number[]): Trace {
  const names = new Map(Object.entries(stateOf(model).tensors).map(([name, { handle }]) => [handle, name]))
  const numbers = new Map<number, number>() // by handle; the addon gives no handle twice
  const weights = new Map<number, Weight>()
  const steps: Step[] = []
  let count = 0
  /** A tensor that is new, or that has new content. */
  const numbered = (tensor: Tensor): TracedTensor => {
    numbers.set(tensor.handle, count)
    return { tensor: count++, shape: tensor.shape }
  }
  const traced = (value: unknown): Traced => {
    if (Array.isArray(value)) return value.map(traced)
    if (typeof value === 'bigint') return Number(value)
    if (!(value instanceof Tensor)) return (value ?? null) as Traced
    const known = numbers.get(value.handle)
    if (known !== undefined) return { tensor: known, shape: value.shape }
    const found = numbered(value)
    const name = names.get(value.handle) ?? `constant.${found.tensor}`
    weights.set(found.tensor, { name, shape: value.shape, bytes: bytesOf(value, name) })
    return found
  }
  const listen = ({ name, given, made }: OperatorCall) => {
    const before = given.map(traced)
    steps.push({ operator: name, given: before, made: made.map(numbered) })
  }
  return scope(() =>
    noGrad(() => {
      const zero = zeros(shape)
      const images = numbered(zero)
      const { logits } = recording(listen, () => model.forward(zero, 'eval', 'fp32'))
      return { steps, weights, images, logits: traced(logits) as TracedTensor }
    }),
  )
}

function bytesOf(tensor: Tensor, name: string): Uint8Array {
  if (tensor.dtype !== 'float32') throw new Error(`Cannot trace '${name}': it is ${tensor.dtype}, float32 is expected`)
  return scope(() => tensor.detach().contiguous().bytes())
}

/** What two traces have in common; a number in which they differ is a multiple of their batches. */
function merged(a: unknown, b: unknown): unknown {
  if (a instanceof Map && b instanceof Map)
    return new Map([...a].map(([key, value]) => [key, merged(value, b.get(key))]))
  if (a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0) return a
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) return a.map((each, i) => merged(each, b[i]))
  if (isRecord(a) && isRecord(b))
    return Object.fromEntries(Object.entries(a).map(([key, value]) => [key, merged(value, b[key])]))
  if (Object.is(a, b)) return a
  const times = typeof a === 'number' && typeof b === 'number' ? a / batches[0] : Number.NaN
  if (Number.isInteger(times) && b === times * batches[1]) return { batches: times }
  throw new UserError('usage', 'Cannot export the model: what it computes depends on how many images it is shown')
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
