// What a protobuf message is made of, by its encoding (https://protobuf.dev/programming-guides/encoding/): fields one after the
// other, each a number and a wire type followed by its value. The file formats written here need no more than these five.

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** A field that holds an int64 or an enum. */
export function varintField(number: number, value: number | bigint): Uint8Array {
  return joined([tag(number, wire.varint), varint(BigInt(value))])
}

/** A field that holds a `float`. */
export function floatField(number: number, value: number): Uint8Array {
  return joined([tag(number, wire.fixed32), new Uint8Array(Float32Array.of(value).buffer)])
}

/** A field that holds a `double`. */
export function doubleField(number: number, value: number): Uint8Array {
  return joined([tag(number, wire.fixed64), new Uint8Array(Float64Array.of(value).buffer)])
}

/** A field that holds text, or bytes. */
export function bytesField(number: number, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  return joined([tag(number, wire.bytes), varint(BigInt(bytes.length)), bytes])
}

/** A field that holds a message of these fields. */
export function messageField(number: number, fields: readonly Uint8Array[]): Uint8Array {
  return bytesField(number, joined(fields))
}

/** Fields as one message. */
export const joined = (fields: readonly Uint8Array[]): Uint8Array => Buffer.concat(fields)

const tag = (number: number, type: number) => varint(BigInt(number * 8 + type))

/** Seven bits a byte, the lowest first; the eighth bit says that more follow. Negative numbers are two's complement of 64 bits. */
function varint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Uint8Array.of(...bytes, Number(rest))
}
