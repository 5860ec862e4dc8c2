import { bytesField, floatField, joined, messageField, varintField } from '../store/protobuf.ts'

// An ONNX file: a protobuf message ModelProto. Names, numbers and types of the fields are those of
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.

/** Of the format, from which on opset 17 is allowed. */
const irVersion = 8
/** Of the operators: LayerNormalization came with this one. */
export const opset = 17

const elementTypes = { float32: 1, int64: 7 } as const
const attributeTypes = { float: 1, int: 2, ints: 7 } as const

/** A bigint is an int, a number a float, a list one of ints. */
export type Attribute = bigint | number | readonly number[]

export interface OnnxNode {
  readonly type: string
  /** names of values; an empty one is an input left out */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A value that is part of the model. */
export interface OnnxConstant {
  readonly dtype: keyof typeof elementTypes
  readonly shape: readonly number[]
  /** row-major, little endian */
  readonly bytes: Uint8Array
}

/** A float32 value that goes in or comes out; a length that may vary has a name. */
export interface OnnxValue {
  readonly name: string
  readonly shape: readonly (number | string)[]
  readonly description: string
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[]
  readonly constants: ReadonlyMap<string, OnnxConstant>
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  readonly metadata: Readonly<Record<string, string>>
  readonly producer: { readonly name: string; readonly version: string }
}

/** The model as the bytes of a file. */
export function formatOnnx({ nodes, constants, inputs, outputs, metadata, producer }: OnnxModel): Uint8Array {
  const graph = [
    ...nodes.map(node),
    bytesField(2, 'classifier'),
    ...Array.from(constants, ([name, each]) => initializer(name, each)),
    ...inputs.map((each) => valueInfo(11, each)),
    ...outputs.map((each) => valueInfo(12, each)),
  ]
  return joined([
    varintField(1, irVersion),
    bytesField(2, producer.name),
    bytesField(3, producer.version),
    messageField(7, graph),
    messageField(8, [bytesField(1, ''), varintField(2, opset)]),
    ...Object.entries(metadata).map(([key, value]) => messageField(14, [bytesField(1, key), bytesField(2, value)])),
  ])
}

/** NodeProto, named by what it makes */
function node({ type, inputs, outputs, attributes }: OnnxNode): Uint8Array {
  return messageField(1, [
    ...inputs.map((name) => bytesField(1, name)),
    ...outputs.map((name) => bytesField(2, name)),
    bytesField(3, outputs[0] as string),
    bytesField(4, type),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  ])
}

/** AttributeProto */
function attribute(name: string, value: Attribute): Uint8Array {
  const of = (type: keyof typeof attributeTypes, fields: readonly Uint8Array[]) =>
    messageField(5, [bytesField(1, name), ...fields, varintField(20, attributeTypes[type])])
  if (typeof value === 'bigint') return of('int', [varintField(3, value)])
  if (typeof value === 'number') return of('float', [floatField(2, value)])
  return of(
    'ints',
    value.map((each) => varintField(8, each)),
  )
}

/** TensorProto */
function initializer(name: string, { dtype, shape, bytes }: OnnxConstant): Uint8Array {
  return messageField(5, [
    ...shape.map((length) => varintField(1, length)),
    varintField(2, elementTypes[dtype]),
    bytesField(8, name),
    bytesField(9, bytes),
  ])
}

/** ValueInfoProto, its TypeProto and TensorShapeProto */
function valueInfo(field: number, { name, shape, description }: OnnxValue): Uint8Array {
  const lengths = shape.map((length) =>
    messageField(1, [typeof length === 'number' ? varintField(1, length) : bytesField(2, length)]),
  )
  const tensorType = messageField(1, [varintField(1, elementTypes.float32), messageField(2, lengths)])
  return messageField(field, [bytesField(1, name), messageField(2, [tensorType]), bytesField(3, description)])
}
