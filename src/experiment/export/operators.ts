import type { Arguments, Builder } from './graph.ts'
import type { Length } from './trace.ts'

// Operators of libtorch's, and ours, as nodes of ONNX (https://onnx.ai/onnx/operators/), in evaluation mode and fp32: a line or a
// few each. What a call asks for and a line cannot say is an error, and never left out.

type Lowering = (call: Arguments, graph: Builder) => string | readonly string[]

/** The same values: no node at all. */
const same: Lowering = ({ value }) => value(0)

const elementwise =
  (type: string): Lowering =>
  (call, { add }) => {
    must(call.count === 2, `${type} of two operands`)
    return add(type, [call.value(0), call.value(1)])
  }

const activation =
  (type: string): Lowering =>
  ({ value }, { add }) =>
    add(type, [value(0)])

/** Lengths of the result, from the first one on; that of the batch follows from the others. */
const reshaped: Lowering = ({ value, shape }, { add, integers }) =>
  add('Reshape', [value(0), integers(shape.map((length) => (typeof length === 'number' ? length : -1)))])

export const operators: Readonly<Record<string, Lowering>> = {
  'to.dtype_layout': (call) => {
    must([null, float32].includes(call.numberOrNull(1)), 'float32 throughout')
    return call.value(0)
  },
  contiguous: same,

  reshape: reshaped,
  'flatten.using_ints': reshaped,
  permute: ({ value, numbers }, { add }) => add('Transpose', [value(0)], { perm: numbers(1) }),
  'transpose.int': (call, { add }) => {
    const perm = call.shapeOf(0).map((_, i) => i)
    const [a, b] = [axisOf(call, 1), axisOf(call, 2)]
    perm[a] = b
    perm[b] = a
    return add('Transpose', [call.value(0)], { perm })
  },
  expand: ({ value, shape }, { add, lengths }) => add('Expand', [value(0), lengths(shape)]),
  'select.int': (call, { add, integers }) =>
    add('Gather', [call.value(0), integers(call.number(2))], { axis: BigInt(axisOf(call, 1)) }),
  narrow: (call, { add, integers }) => {
    const [start, length] = [call.number(2), call.number(3)]
    return add('Slice', [call.value(0), integers([start]), integers([start + length]), integers([axisOf(call, 1)])])
  },
  cat: ({ values, number }, { add }) => add('Concat', values(0), { axis: BigInt(number(1)) }),
  constant_pad_nd: (call, { add, integers }) => {
    const widths = call.numbers(1) // of the last dimension before and after, then of the one before it
    if (widths.every((width) => width === 0)) return call.value(0)
    const pairs = call
      .shapeOf(0)
      .map((_, i, { length }) => [0, 1].map((side) => widths[2 * (length - 1 - i) + side] ?? 0))
    return add('Pad', [call.value(0), integers([0, 1].flatMap((side) => pairs.map((pair) => pair[side] as number)))])
  },

  'add.Tensor': elementwise('Add'),
  'add.Scalar': elementwise('Add'),
  'sub.Tensor': elementwise('Sub'),
  'sub.Scalar': elementwise('Sub'),
  'mul.Tensor': elementwise('Mul'),
  'mul.Scalar': elementwise('Mul'),
  'div.Tensor': elementwise('Div'),
  'div.Scalar': elementwise('Div'),
  matmul: elementwise('MatMul'),
  relu: activation('Relu'),
  relu_: activation('Relu'),
  tanh: activation('Tanh'),
  sigmoid: activation('Sigmoid'),
  clamp: ({ value }, { add }) => add('Clip', [value(0), value(1), value(2)]),
  'softmax.int': (call, { add }) => add('Softmax', [call.value(0)], { axis: BigInt(axisOf(call, 1)) }),
  gelu: ({ value }, { add, floats }) => {
    // x·Φ(x) = x/2·(1 + erf(x/√2))
    const error = add('Erf', [add('Mul', [value(0), floats(Math.SQRT1_2)])])
    return add('Mul', [add('Mul', [value(0), floats(0.5)]), add('Add', [error, floats(1)])])
  },

  'sum.dim_IntList': ({ value, numbers, flag }, { add, integers }) =>
    add('ReduceSum', [value(0), integers(numbers(1))], { keepdims: flag(2) ? 1n : 0n }),
  'mean.dim': ({ value, numbers, flag }, { add }) =>
    add('ReduceMean', [value(0)], { axes: numbers(1), keepdims: flag(2) ? 1n : 0n }),

  linear: ({ value }, { add }) => {
    const product = add('MatMul', [value(0), add('Transpose', [value(1)], { perm: [1, 0] })])
    return value(2) ? add('Add', [product, value(2)]) : product
  },
  conv2d: ({ value, numbers, number }, { add }) =>
    add('Conv', [value(0), value(1), value(2)], {
      strides: numbers(3),
      pads: [...numbers(4), ...numbers(4)],
      dilations: numbers(5),
      group: BigInt(number(6)),
    }),
  max_pool2d: ({ value, numbers }, { add }) =>
    add('MaxPool', [value(0)], {
      kernel_shape: numbers(1),
      strides: numbers(2),
      pads: [...numbers(3), ...numbers(3)],
    }),
  adaptive_avg_pool2d: ({ value, shapeOf, numbers }, { add, floats }) => {
    // Means over windows along each side are products with matrices: A·x·Bᵀ.
    const [height, width] = shapeOf(0).slice(-2) as [number, number]
    const [rows, columns] = numbers(1) as [number, number]
    const along = add('MatMul', [value(0), floats(windowMeans(columns, width, true), [width, columns])])
    return add('MatMul', [floats(windowMeans(rows, height), [rows, height]), along])
  },
  layer_norm: (call, { add }) => {
    must(call.numbers(1).length === 1, 'layer normalization over the last dimension')
    return add('LayerNormalization', [call.value(0), call.value(2), call.value(3)], {
      axis: -1n,
      epsilon: call.number(4),
    })
  },
  'deconfound::batch_norm': (call, graph) => normalized(call.value(0), { call, graph, from: 1 }),
  'deconfound::batch_norm_relu': (call, graph) =>
    graph.add('Relu', [normalized(call.value(0), { call, graph, from: 1 })]),
  'deconfound::add_batch_norm_relu': (call, graph) => {
    const sum = graph.add('Add', [call.value(0), call.value(1)])
    return [sum, graph.add('Relu', [normalized(sum, { call, graph, from: 2 })])]
  },
}

/** libtorch's number of the type */
const float32 = 6

/** (x − mean) / √(variance + ε) · weight + bias; from place `from` on: weight, bias, mean, variance, training, momentum, ε. */
function normalized(x: string, { call, graph, from }: { call: Arguments; graph: Builder; from: number }): string {
  must(!call.flag(from + 4), 'batch norm in evaluation mode')
  const facts = [0, 1, 2, 3].map((each) => call.value(from + each))
  return graph.add('BatchNormalization', [x, ...facts], { epsilon: call.number(from + 6) })
}

/** [windows, length], or transposed: window i is the mean over ⌊i·length/windows⌋ up to ⌈(i+1)·length/windows⌉. */
function windowMeans(windows: number, length: number, transposed = false): number[] {
  const share = (window: number, at: number) => {
    const from = Math.floor((window * length) / windows)
    const to = Math.ceil(((window + 1) * length) / windows)
    return at >= from && at < to ? 1 / (to - from) : 0
  }
  const [outer, inner] = transposed ? [length, windows] : [windows, length]
  return Array.from({ length: outer * inner }, (_, k) => {
    const [row, column] = [Math.floor(k / inner), k % inner]
    return transposed ? share(column, row) : share(row, column)
  })
}

/** The dimension that an argument names; negative ones count from the end. */
function axisOf(call: Arguments, place: number): number {
  const dimensions: readonly Length[] = call.shapeOf(0)
  const axis = call.number(place)
  return axis < 0 ? axis + dimensions.length : axis
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`Cannot say this call in ONNX, which is not ${what}`)
}
