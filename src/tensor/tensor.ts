import { type Handle, type NativeArgument, type NativeResult, native } from './native.ts'
import { recorder } from './recording.ts'
import { enter, keep, type Scoped, type Settled, settled } from './scope.ts'

// This file is longer than most: it is the list of operators the project uses, a line or two each.

/** Element types, with libtorch's numbers for them. */
const dtypeCodes = {
  uint8: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  float16: 5,
  float32: 6,
  float64: 7,
  bool: 11,
  bfloat16: 15,
} as const
export type DType = keyof typeof dtypeCodes
const dtypeNames = Object.fromEntries(Object.entries(dtypeCodes).map(([name, code]) => [code, name])) as Record<
  number,
  DType
>

const memoryFormats = { contiguous: 0, channelsLast: 2 } as const
const reductions = { none: 0, mean: 1, sum: 2 } as const

export type Shape = readonly number[]
/** A number is a floating-point scalar, a bigint an integer one: on integer tensors use bigints. */
export type ScalarLike = number | bigint
type Argument = Tensor | NativeArgument | readonly (Tensor | null)[]

const readers = {
  uint8: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
  bool: Uint8Array,
} as const

/** Frees tensors that no scope looked after once JavaScript has forgotten them: only a safety net. */
const forgotten = new FinalizationRegistry<{ handle: Handle; bytes: number }>(({ handle, bytes }) => {
  native().release(handle)
  native().adjustMemory(-bytes)
})

/** An n-dimensional array of libtorch's, on any device, with or without a gradient. */
export class Tensor implements Scoped {
  readonly handle: Handle
  owner: Scoped[] | Set<Scoped> | null = null
  #external = 0

  private constructor(handle: Handle) {
    this.handle = handle
    enter(this)
  }

  /** Takes charge of a handle the addon returned. */
  static wrap(handle: Handle): Tensor {
    return new Tensor(handle)
  }

  /** Frees the tensor now. Freeing twice is no error; using it afterwards is. */
  free(): void {
    if (this.owner instanceof Set) this.owner.delete(this)
    this.owner = null
    if (native().release(this.handle) && this.#external > 0) {
      forgotten.unregister(this)
      native().adjustMemory(-this.#external)
    }
  }

  abandon(): void {
    this.#external = native().byteLength(this.handle)
    native().adjustMemory(this.#external)
    forgotten.register(this, { handle: this.handle, bytes: this.#external }, this)
  }

  // Facts

  get shape(): number[] {
    return native().shape(this.handle)
  }
  get dtype(): DType {
    const name = dtypeNames[native().dtype(this.handle)]
    if (!name) throw new Error('The tensor has an element type this project does not use')
    return name
  }
  get device(): string {
    return native().device(this.handle)
  }
  get requiresGrad(): boolean {
    return native().requiresGradient(this.handle)
  }
  /** Length along one dimension; negative ones count from the end. */
  size(dim: number): number {
    const { shape } = this
    return shape[dim < 0 ? dim + shape.length : dim] as number
  }
  /** Number of elements. */
  get count(): number {
    return this.shape.reduce((product, length) => product * length, 1)
  }

  // Out to JavaScript

  /** The one element of the tensor. */
  item(): number {
    return native().item(this.handle)
  }
  /** A copy of the elements in row-major order; half precision as float32. */
  data(): Float32Array | Float64Array | Uint8Array | Int8Array | Int16Array | Int32Array | BigInt64Array {
    const { dtype } = this
    if (dtype === 'float16' || dtype === 'bfloat16') {
      const single = this.to({ dtype: 'float32' })
      const result = single.data()
      single.free()
      return result
    }
    return new readers[dtype](native().toBytes(this.handle))
  }
  /** A copy of the bytes in row-major order, whatever the type. */
  bytes(): Uint8Array {
    return new Uint8Array(native().toBytes(this.handle))
  }
  /** A copy of the elements as numbers in row-major order. */
  numbers(): number[] {
    return Array.from(this.data() as ArrayLike<number | bigint>, Number)
  }
  toString(): string {
    return `Tensor(${this.dtype} [${this.shape.join(', ')}] on ${this.device})`
  }

  // Conversion

  to(options: { dtype?: DType; device?: string; channelsLast?: boolean }): Tensor {
    return ops.to(
      this,
      options.dtype && dtypeCodes[options.dtype],
      undefined,
      options.device,
      undefined,
      false,
      false,
      options.channelsLast ? memoryFormats.channelsLast : undefined,
    )
  }
  contiguous(format: keyof typeof memoryFormats = 'contiguous'): Tensor {
    return ops.contiguous(this, memoryFormats[format])
  }
  clone(): Tensor {
    return ops.clone(this)
  }
  detach(): Tensor {
    return ops.detach(this)
  }

  // Shape

  reshape(...shape: number[]): Tensor {
    return ops.reshape(this, shape)
  }
  permute(...dims: number[]): Tensor {
    return ops.permute(this, dims)
  }
  transpose(dim0: number, dim1: number): Tensor {
    return ops.transpose(this, dim0, dim1)
  }
  unsqueeze(dim: number): Tensor {
    return ops.unsqueeze(this, dim)
  }
  squeeze(dim: number): Tensor {
    return ops.squeeze(this, dim)
  }
  flatten(startDim = 0, endDim = -1): Tensor {
    return ops.flatten(this, startDim, endDim)
  }
  expand(...shape: number[]): Tensor {
    return ops.expand(this, shape)
  }
  flip(...dims: number[]): Tensor {
    return ops.flip(this, dims)
  }
  roll(shift: number, dim: number): Tensor {
    return ops.roll(this, [shift], [dim])
  }
  /** `length` elements of one dimension from `start` on: a view. */
  narrow(dim: number, start: number, length: number): Tensor {
    return ops.narrow(this, dim, start, length)
  }
  /** One element of a dimension, which goes away: a view. */
  select(dim: number, index: number): Tensor {
    return ops.select(this, dim, index)
  }
  indexSelect(dim: number, index: Tensor): Tensor {
    return ops.indexSelect(this, dim, index)
  }
  /** Advanced indexing: index tensors broadcast against one another, null keeps a dimension whole. */
  index(indices: readonly (Tensor | null)[]): Tensor {
    return ops.index(this, indices)
  }
  gather(dim: number, index: Tensor): Tensor {
    return ops.gather(this, dim, index)
  }

  // Arithmetic

  add(other: Tensor | ScalarLike): Tensor {
    return other instanceof Tensor ? ops.add(this, other) : ops.addScalar(this, other)
  }
  sub(other: Tensor | ScalarLike): Tensor {
    return other instanceof Tensor ? ops.sub(this, other) : ops.subScalar(this, other)
  }
  mul(other: Tensor | ScalarLike): Tensor {
    return other instanceof Tensor ? ops.mul(this, other) : ops.mulScalar(this, other)
  }
  div(other: Tensor | ScalarLike): Tensor {
    return other instanceof Tensor ? ops.div(this, other) : ops.divScalar(this, other)
  }
  pow(exponent: ScalarLike): Tensor {
    return ops.pow(this, exponent)
  }
  neg(): Tensor {
    return ops.neg(this)
  }
  abs(): Tensor {
    return ops.abs(this)
  }
  sign(): Tensor {
    return ops.sign(this)
  }
  exp(): Tensor {
    return ops.exp(this)
  }
  log(): Tensor {
    return ops.log(this)
  }
  sqrt(): Tensor {
    return ops.sqrt(this)
  }
  square(): Tensor {
    return ops.square(this)
  }
  round(): Tensor {
    return ops.round(this)
  }
  clamp(low: ScalarLike | null, high: ScalarLike | null): Tensor {
    return ops.clamp(this, low, high)
  }
  relu(): Tensor {
    return ops.relu(this)
  }
  leakyRelu(slope = 0.01): Tensor {
    return ops.leakyRelu(this, slope)
  }
  /** x·Φ(x), Φ the normal distribution's (Hendrycks and Gimpel 2016). */
  gelu(): Tensor {
    return ops.gelu(this)
  }
  tanh(): Tensor {
    return ops.tanh(this)
  }
  sigmoid(): Tensor {
    return ops.sigmoid(this)
  }
  softmax(dim: number): Tensor {
    return ops.softmax(this, dim)
  }
  logSoftmax(dim: number): Tensor {
    return ops.logSoftmax(this, dim)
  }
  nanToNum(value: number): Tensor {
    return ops.nanToNum(this, value)
  }

  // In place: the same tensor comes back

  add_(other: Tensor | ScalarLike, alpha?: ScalarLike): Tensor {
    if (other instanceof Tensor) ops.add_(this, other, alpha)
    else ops.addScalar_(this, other, alpha)
    return this
  }
  mul_(other: Tensor | ScalarLike): Tensor {
    if (other instanceof Tensor) ops.mul_(this, other)
    else ops.mulScalar_(this, other)
    return this
  }
  relu_(): Tensor {
    ops.relu_(this)
    return this
  }
  copy_(source: Tensor): Tensor {
    ops.copy_(this, source)
    return this
  }
  fill_(value: ScalarLike): Tensor {
    ops.fill_(this, value)
    return this
  }
  requiresGrad_(required = true): Tensor {
    ops.requiresGrad_(this, required)
    return this
  }

  // Reduction

  sum(dims?: readonly number[], keepdim = false): Tensor {
    return dims ? ops.sumDims(this, dims, keepdim) : ops.sum(this)
  }
  mean(dims?: readonly number[], keepdim = false): Tensor {
    return dims ? ops.meanDims(this, dims, keepdim) : ops.mean(this)
  }
  max(): Tensor {
    return ops.max(this)
  }
  min(): Tensor {
    return ops.min(this)
  }
  argmax(dim: number, keepdim = false): Tensor {
    return ops.argmax(this, dim, keepdim)
  }
  /** Euclidean norm of all elements. */
  norm(): Tensor {
    return ops.norm(this)
  }

  // Comparison: bool tensors

  eq(other: Tensor | ScalarLike): Tensor {
    return other instanceof Tensor ? ops.eq(this, other) : ops.eqScalar(this, other)
  }
  ne(other: Tensor | ScalarLike): Tensor {
    return other instanceof Tensor ? ops.ne(this, other) : ops.neScalar(this, other)
  }
  lt(other: Tensor | ScalarLike): Tensor {
    return other instanceof Tensor ? ops.lt(this, other) : ops.ltScalar(this, other)
  }
  gt(other: Tensor | ScalarLike): Tensor {
    return other instanceof Tensor ? ops.gt(this, other) : ops.gtScalar(this, other)
  }
  ge(other: Tensor | ScalarLike): Tensor {
    return other instanceof Tensor ? ops.ge(this, other) : ops.geScalar(this, other)
  }
  logicalAnd(other: Tensor): Tensor {
    return ops.logicalAnd(this, other)
  }

  // Products

  matmul(other: Tensor): Tensor {
    return ops.matmul(this, other)
  }

  // Gradients

  /** Adds the gradient of this scalar to every leaf that asked for one. */
  backward(): void {
    native().backward(this.handle)
  }
  /** The accumulated gradient of a leaf, or null. */
  get grad(): Tensor | null {
    return gradientsOf([this])[0] as Tensor | null
  }
}

/**
 * An operator of libtorch by its dispatcher name, for example `operator('conv2d')`. Tensors pass as they are, trailing
 * arguments may be left out. Where libtorch fails, the error names the operator and the shapes.
 */
export function operator<Result = Tensor>(name: string): (...parameters: Argument[]) => Result {
  let known: ReturnType<ReturnType<typeof native>['find']> | undefined
  return (...parameters) => {
    known ??= native().find(name)
    const [id, holdsTensors] = known
    const given = recorder && [...parameters]
    for (let i = 0; i < parameters.length; i++) parameters[i] = lower(parameters[i])
    const result = native().call(id, ...(parameters as NativeArgument[]))
    const inPlace = holdsTensors.length === 1 && holdsTensors[0] && result === parameters[0]
    const raised = inPlace ? undefined : raiseAll(result, holdsTensors)
    if (given) recorder?.({ name, given, made: tensorsIn(inPlace ? given[0] : raised) })
    return raised as Result
  }
}

/** What an operator returned, one value or several, tensors for handles. */
function raiseAll(result: NativeResult, holdsTensors: readonly boolean[]): unknown {
  if (holdsTensors.length <= 1) return raise(result, holdsTensors[0])
  return (result as NativeResult[]).map((each, i) => raise(each, holdsTensors[i]))
}

function tensorsIn(value: unknown): Tensor[] {
  if (Array.isArray(value)) return value.flatMap(tensorsIn)
  return value instanceof Tensor ? [value] : []
}

/** A handle, or each of an array of them, as a tensor; whatever else an operator returns as it is. */
function raise(result: NativeResult, isTensor: boolean | undefined): unknown {
  if (!isTensor) return result
  if (Array.isArray(result)) return result.map((each) => raise(each, true))
  return typeof result === 'number' ? Tensor.wrap(result) : result
}

function lower(argument: Argument): NativeArgument {
  if (argument instanceof Tensor) return argument.handle
  if (Array.isArray(argument)) return (argument as Argument[]).map(lower)
  return argument as NativeArgument
}

const ops = {
  to: operator('to.dtype_layout'),
  contiguous: operator('contiguous'),
  clone: operator('clone'),
  detach: operator('detach'),
  reshape: operator('reshape'),
  permute: operator('permute'),
  transpose: operator('transpose.int'),
  unsqueeze: operator('unsqueeze'),
  squeeze: operator('squeeze.dim'),
  flatten: operator('flatten.using_ints'),
  expand: operator('expand'),
  flip: operator('flip'),
  roll: operator('roll'),
  narrow: operator('narrow'),
  select: operator('select.int'),
  indexSelect: operator('index_select'),
  index: operator('index.Tensor'),
  gather: operator('gather'),
  add: operator('add.Tensor'),
  addScalar: operator('add.Scalar'),
  sub: operator('sub.Tensor'),
  subScalar: operator('sub.Scalar'),
  mul: operator('mul.Tensor'),
  mulScalar: operator('mul.Scalar'),
  div: operator('div.Tensor'),
  divScalar: operator('div.Scalar'),
  pow: operator('pow.Tensor_Scalar'),
  neg: operator('neg'),
  abs: operator('abs'),
  sign: operator('sign'),
  exp: operator('exp'),
  log: operator('log'),
  sqrt: operator('sqrt'),
  square: operator('square'),
  round: operator('round'),
  clamp: operator('clamp'),
  relu: operator('relu'),
  leakyRelu: operator('leaky_relu'),
  gelu: operator('gelu'),
  tanh: operator('tanh'),
  sigmoid: operator('sigmoid'),
  softmax: operator('softmax.int'),
  logSoftmax: operator('log_softmax.int'),
  nanToNum: operator('nan_to_num'),
  add_: operator<void>('add_.Tensor'),
  addScalar_: operator<void>('add_.Scalar'),
  mul_: operator<void>('mul_.Tensor'),
  mulScalar_: operator<void>('mul_.Scalar'),
  relu_: operator<void>('relu_'),
  copy_: operator<void>('copy_'),
  fill_: operator<void>('fill_.Scalar'),
  requiresGrad_: operator<void>('requires_grad_'),
  sum: operator('sum'),
  sumDims: operator('sum.dim_IntList'),
  mean: operator('mean'),
  meanDims: operator('mean.dim'),
  max: operator('max'),
  min: operator('min'),
  argmax: operator('argmax'),
  norm: operator('linalg_vector_norm'),
  eq: operator('eq.Tensor'),
  eqScalar: operator('eq.Scalar'),
  ne: operator('ne.Tensor'),
  neScalar: operator('ne.Scalar'),
  lt: operator('lt.Tensor'),
  ltScalar: operator('lt.Scalar'),
  gt: operator('gt.Tensor'),
  gtScalar: operator('gt.Scalar'),
  ge: operator('ge.Tensor'),
  geScalar: operator('ge.Scalar'),
  logicalAnd: operator('logical_and'),
  matmul: operator('matmul'),
  full: operator('full'),
  arange: operator('arange'),
  cat: operator('cat'),
  stack: operator('stack'),
  where: operator('where.self'),
  crossEntropy: operator('cross_entropy_loss'),
  foreachAdd: operator<Tensor[]>('_foreach_add.List'),
  foreachAdd_: operator<void>('_foreach_add_.List'),
  foreachMul_: operator<void>('_foreach_mul_.Scalar'),
}

/** A CPU tensor with a copy of `data`, whose type decides the element type unless `dtype` says otherwise. */
export function tensor(data: NodeJS.TypedArray | readonly number[], shape: Shape, dtype?: DType): Tensor {
  if (Array.isArray(data)) {
    const wide = dtype === 'int64' || dtype === 'float64' // which hold more than a float32 does
    return tensor(wide ? Float64Array.from(data) : Float32Array.from(data), shape, dtype)
  }
  const array = data as NodeJS.TypedArray
  const own = (Object.keys(readers) as (keyof typeof readers)[]).find((name) => array instanceof readers[name])
  if (!own) throw new Error('Cannot make a tensor from an array of this type')
  const made = Tensor.wrap(native().fromBytes(array, shape, dtypeCodes[own]))
  if (!dtype || dtype === own) return made
  const converted = made.to({ dtype })
  made.free()
  return converted
}

/** A tensor from stored bytes, row-major. */
export function tensorFromBytes(bytes: Uint8Array, shape: Shape, dtype: DType): Tensor {
  return Tensor.wrap(native().fromBytes(bytes, shape, dtypeCodes[dtype]))
}

export function full(shape: Shape, value: ScalarLike, options: { dtype?: DType; device?: string } = {}): Tensor {
  return ops.full(shape, value, dtypeCodes[options.dtype ?? 'float32'], undefined, options.device)
}

export function zeros(shape: Shape, options: { dtype?: DType; device?: string } = {}): Tensor {
  return full(shape, 0, options)
}

/** int64 [end]: 0, 1, … */
export function arange(end: number, options: { device?: string } = {}): Tensor {
  return ops.arange(BigInt(end), dtypeCodes.int64, undefined, options.device)
}

export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.cat(tensors, dim)
}

export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.stack(tensors, dim)
}

/** Elements of `yes` where `condition` holds, of `no` elsewhere. */
export function where(condition: Tensor, yes: Tensor, no: Tensor): Tensor {
  return ops.where(condition, yes, no)
}

/** Cross entropy of logits [batch, classes] with labels int64 [batch]. */
export function crossEntropyLoss(logits: Tensor, labels: Tensor, reduction: keyof typeof reductions): Tensor {
  return ops.crossEntropy(logits, labels, null, reductions[reduction])
}

/** Many small tensors at once: a + alpha·b, new or in place. */
export const foreach = {
  add: (a: readonly Tensor[], b: readonly Tensor[], alpha: number) => ops.foreachAdd(a, b, alpha),
  add_: (a: readonly Tensor[], b: readonly Tensor[], alpha: number) => ops.foreachAdd_(a, b, alpha),
  mul_: (a: readonly Tensor[], factor: number) => ops.foreachMul_(a, factor),
}

/** A leaf that learns and lives until it is freed. */
export function parameter(value: Tensor): Tensor {
  return keep(value.detach().clone().requiresGrad_())
}

/** The gradient of a scalar with respect to each input, leaving the leaves' own gradients alone. */
export function gradients(output: Tensor, inputs: readonly Tensor[]): Tensor[] {
  return native()
    .gradients(
      output.handle,
      inputs.map((input) => input.handle),
    )
    .map((handle) => Tensor.wrap(handle as Handle))
}

/** The accumulated gradients of leaves, null where there is none. */
export function gradientsOf(leaves: readonly Tensor[]): (Tensor | null)[] {
  return native()
    .gradientsOf(leaves.map((leaf) => leaf.handle))
    .map((handle) => (handle === null ? null : Tensor.wrap(handle)))
}

export function clearGradients(leaves: readonly Tensor[]): void {
  native().clearGradients(leaves.map((leaf) => leaf.handle))
}

/** Runs `body` without recording anything for gradients. */
export function noGrad<T>(body: () => Settled<T>): T {
  const before = native().setGradMode(false)
  try {
    return settled(body(), 'noGrad')
  } finally {
    native().setGradMode(before)
  }
}

/** Tensors alive in this process. */
export function liveTensors(): number {
  return native().liveCount()
}
