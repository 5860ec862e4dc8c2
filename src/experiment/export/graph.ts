import { UserError } from '../../errors.ts'
import type { Attribute, OnnxConstant, OnnxNode } from './onnx.ts'
import { operators } from './operators.ts'
import type { Length, Trace, Traced, TracedTensor } from './trace.ts'

/** The nodes that make logits from images, and the constants that they need. */
export interface Graph {
  readonly nodes: readonly OnnxNode[]
  readonly constants: ReadonlyMap<string, OnnxConstant>
}

/** What a line of the table of operators works with. */
export interface Builder {
  /** Adds a node of one output; gives its name. */
  add(type: string, inputs: readonly string[], attributes?: Readonly<Record<string, Attribute>>): string
  /** The name of an int64 constant, [values], or a scalar. */
  integers(values: readonly number[] | number): string
  /** The name of a float32 constant; a scalar unless it has a shape. */
  floats(values: readonly number[] | number, shape?: readonly number[]): string
  /** The name of an int64 value that holds lengths, of the batch among them. */
  lengths(of: readonly Length[]): string
}

/** Names of the graph's input and output. */
export const ends = { images: 'images', logits: 'logits', probabilities: 'probabilities' } as const

/** The trace of a classifier as nodes of ONNX; an operator that has none is a UserError. */
export function graphOf({ steps, weights, images, logits }: Trace): Graph {
  const nodes: OnnxNode[] = []
  const constants = new Map<string, OnnxConstant>()
  const names = new Map<number, string>([[images.tensor, ends.images]])
  for (const [tensor, { name, shape, bytes }] of weights) {
    names.set(tensor, name)
    constants.set(name, { dtype: 'float32', shape, bytes })
  }
  const builder = builderOf(nodes, constants)
  const nameOf = ({ tensor }: TracedTensor) => names.get(tensor) as string
  for (const { operator, given, made } of steps) {
    const lower = operators[operator]
    if (!lower)
      throw new UserError(
        'usage',
        `Cannot export the model to ONNX: its operator '${operator}' is not among those that can be (${Object.keys(operators).join(', ')})`,
      )
    const outputs = lower({ ...argumentsOf(given, { nameOf, builder }), shape: made[0]?.shape ?? [] }, builder)
    for (const [i, name] of [outputs].flat().entries()) names.set((made[i] as TracedTensor).tensor, name)
  }
  nodes.push(
    node('Identity', [nameOf(logits)], ends.logits),
    node('Softmax', [ends.logits], ends.probabilities, { axis: 1n }),
  )
  return needed(nodes, constants)
}

const node = (
  type: string,
  inputs: readonly string[],
  output: string,
  attributes: OnnxNode['attributes'] = {},
): OnnxNode => ({ type, inputs, outputs: [output], attributes })

function builderOf(nodes: OnnxNode[], constants: Map<string, OnnxConstant>): Builder {
  const constant = (value: OnnxConstant) => {
    const name = `constant_${constants.size}`
    constants.set(name, value)
    return name
  }
  const builder: Builder = {
    add(type, inputs, attributes) {
      const name = `${type}_${nodes.length}`
      nodes.push(node(type, inputs, name, attributes))
      return name
    },
    integers(values) {
      const bytes = new Uint8Array(BigInt64Array.from([values].flat().map(BigInt)).buffer)
      return constant({ dtype: 'int64', shape: Array.isArray(values) ? [values.length] : [], bytes })
    },
    floats(values, shape = []) {
      return constant({ dtype: 'float32', shape, bytes: new Uint8Array(Float32Array.from([values].flat()).buffer) })
    },
    lengths(of) {
      const numbers = of.filter((each) => typeof each === 'number')
      if (numbers.length === of.length) return builder.integers(numbers)
      const batch = () => builder.add('Shape', [ends.images], { start: 0n, end: 1n })
      const parts = of.map((each) => {
        if (typeof each === 'number') return builder.integers([each])
        return each.batches === 1 ? batch() : builder.add('Mul', [batch(), builder.integers([each.batches])])
      })
      return builder.add('Concat', parts, { axis: 0n })
    },
  }
  return builder
}

/** The arguments of one call, by their place. */
export interface Arguments {
  /** how many there are */
  readonly count: number
  /** lengths of the first result */
  readonly shape: readonly Length[]
  /** The name of a tensor; of a number, as a constant; an empty one of a tensor left out. */
  value(place: number): string
  /** The names of a list of tensors. */
  values(place: number): readonly string[]
  /** The lengths of a tensor. */
  shapeOf(place: number): readonly Length[]
  number(place: number): number
  /** A number or null, null where it was left out. */
  numberOrNull(place: number): number | null
  numbers(place: number): readonly number[]
  flag(place: number): boolean
}

function argumentsOf(
  given: readonly Traced[],
  { nameOf, builder }: { nameOf: (tensor: TracedTensor) => string; builder: Builder },
): Omit<Arguments, 'shape'> {
  const at = (place: number) => given[place] ?? null
  const value = (of: Traced) => {
    if (of === null) return ''
    return typeof of === 'number' ? builder.floats(of) : nameOf(of as TracedTensor)
  }
  return {
    count: given.length,
    value: (place) => value(at(place)),
    values: (place) => (at(place) as readonly Traced[]).map(value),
    shapeOf: (place) => (at(place) as TracedTensor).shape,
    number: (place) => at(place) as number,
    numberOrNull: (place) => at(place) as number | null,
    numbers: (place) => at(place) as readonly number[],
    flag: (place) => at(place) === true,
  }
}

/** Without what leads to none of the outputs, as a classifier's maps. */
function needed(nodes: readonly OnnxNode[], constants: ReadonlyMap<string, OnnxConstant>): Graph {
  const wanted = new Set<string>([ends.logits, ends.probabilities])
  const kept = nodes.toReversed().filter(({ inputs, outputs }) => {
    const isKept = outputs.some((name) => wanted.has(name))
    if (isKept) for (const name of inputs) wanted.add(name)
    return isKept
  })
  return { nodes: kept.reverse(), constants: new Map([...constants].filter(([name]) => wanted.has(name))) }
}
