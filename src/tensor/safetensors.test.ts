import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UserError } from '../errors.ts'
import { formatSafetensors, parseSafetensors, type StoredTensor } from './safetensors.ts'

const widths = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  uint8: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
} as const

const anyTensor: fc.Arbitrary<StoredTensor> = fc
  .tuple(
    fc.constantFrom(...(Object.keys(widths) as (keyof typeof widths)[])),
    fc.array(fc.nat({ max: 3 }), { maxLength: 4 }),
  )
  .chain(([dtype, shape]) => {
    const length = shape.reduce((product, extent) => product * extent, widths[dtype])
    const byte = fc.integer({ min: 0, max: dtype === 'bool' ? 1 : 255 })
    return fc
      .array(byte, { minLength: length, maxLength: length })
      .map((bytes) => ({ dtype, shape, bytes: Uint8Array.from(bytes) }))
  })
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('__proto__', 'constructor', '"\\\n', ''),
)
const anyTensors = fc.uniqueArray(fc.tuple(anyText, anyTensor), { selector: ([name]) => name, maxLength: 6 })
const anyMetadata = fc.uniqueArray(fc.tuple(anyText, anyText), { selector: ([key]) => key, maxLength: 4 })

/** A file with this header; `length` is what it claims to be long. */
function file(header: string | Uint8Array, data: Uint8Array | number = 0, length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? Buffer.from(header) : header
  const head = new Uint8Array(8)
  new DataView(head.buffer).setBigUint64(0, length ?? BigInt(text.length), true)
  return Buffer.concat([head, text, typeof data === 'number' ? new Uint8Array(data) : data])
}

const entry = (begin: number, end: number, more = '') =>
  `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]${more}}`

describe('safetensors', () => {
  it('gives back what was put in, whatever the names, types and shapes', () => {
    fc.assert(
      fc.property(anyTensors, anyMetadata, (tensors, metadata) => {
        const bytes = Buffer.concat(formatSafetensors({ tensors, metadata }))
        const parsed = parseSafetensors(bytes, 'memory')
        expect(parsed.tensors.size).toBe(tensors.length)
        for (const [name, { dtype, shape, bytes }] of tensors) {
          const read = parsed.tensors.get(name)
          expect({ ...read, bytes: [...(read?.bytes ?? [])] }).toEqual({ dtype, shape, bytes: [...bytes] })
        }
        expect([...parsed.metadata].sort()).toEqual([...metadata].sort())
      }),
      { numRuns: 500 },
    )
  })

  it('writes the same bytes in whatever order the content comes, every tensor aligned', () => {
    fc.assert(
      fc.property(anyTensors, anyMetadata, (tensors, metadata) => {
        const chunks = formatSafetensors({ tensors, metadata })
        const reversed = formatSafetensors({ tensors: [...tensors].reverse(), metadata: [...metadata].reverse() })
        const bytes = Buffer.concat(chunks)
        expect(bytes.equals(Buffer.concat(reversed))).toBe(true)
        expect((chunks[0]?.length ?? 0) % 8).toBe(0)
        for (const { dtype, bytes: view } of parseSafetensors(bytes, 'memory').tensors.values()) {
          expect((view.byteOffset - bytes.byteOffset) % widths[dtype]).toBe(0)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('reads the example of the format’s own description, written by hand', () => {
    const header =
      '{"TEST":{"dtype":"F16","shape":[1, 2],"data_offsets":[0,4]}, "B":{"data_offsets":[4,4],"shape":[0],"dtype":"I64"},' +
      '"__metadata__":{"f\\u00fcr":"\\uD83D\\uDE00"},"scalar":{"dtype":"BF16","shape":[],"data_offsets":[4,6]}}   '
    const { tensors, metadata } = parseSafetensors(file(header, Uint8Array.of(1, 2, 3, 4, 5, 6)), 'memory')
    expect([...tensors]).toEqual([
      ['TEST', { dtype: 'float16', shape: [1, 2], bytes: expect.anything() }],
      ['B', { dtype: 'int64', shape: [0], bytes: expect.anything() }],
      ['scalar', { dtype: 'bfloat16', shape: [], bytes: expect.anything() }],
    ])
    expect([...tensors.values()].map(({ bytes }) => [...bytes])).toEqual([[1, 2, 3, 4], [], [5, 6]])
    expect([...metadata]).toEqual([['für', '😀']])
  })

  it('writes what the format’s description says, byte for byte', () => {
    const chunks = formatSafetensors({
      tensors: [
        ['b', { dtype: 'uint8', shape: [3], bytes: Uint8Array.of(7, 8, 9) }],
        ['a', { dtype: 'float32', shape: [], bytes: Uint8Array.of(0, 0, 128, 63) }],
      ],
      metadata: [['format', 'pt']],
    })
    const header =
      '{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},' +
      '"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}}'
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8)
    expect(Buffer.concat(chunks).equals(file(padded, Uint8Array.of(0, 0, 128, 63, 7, 8, 9)))).toBe(true)
  })

  it('does no harm by a name such as __proto__', () => {
    const header = `{"__proto__":${entry(0, 1)},"__metadata__":{"__proto__":"x"}}`
    const { tensors, metadata } = parseSafetensors(file(header, 1), 'memory')
    expect([...tensors.keys()]).toEqual(['__proto__'])
    expect([...metadata]).toEqual([['__proto__', 'x']])
    expect(({} as Record<string, unknown>).dtype).toBeUndefined()
  })

  const long = '9'.repeat(30)
  it.each<[string, Uint8Array, string]>([
    ['no bytes', new Uint8Array(0), '0 bytes are too few for its header'],
    ['a length of 2^63', file('{}', 0, 2n ** 63n), 'its header of 9223372036854775808 bytes is over the limit'],
    ['a length over the limit', file('{}', 0, 100_000_001n), 'its header of 100000001 bytes is over the limit'],
    ['a length past the end', file('{}', 0, 3n), 'its header of 3 bytes ends after the file'],
    ['an empty header', file(''), 'its header does not begin with {'],
    ['leading space', file(' {}'), 'its header does not begin with {'],
    ['a byte order mark', file('\ufeff{}'), 'its header does not begin with {'],
    ['an array', file('[]'), 'its header does not begin with {'],
    ['broken UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), 'its header is not UTF-8'],
    ['half a pair', file(`{"\\ud800":${entry(0, 0)}}`), 'is not Unicode'],
    ['a bad escape', file(`{"\\x":${entry(0, 0)}}`), 'is not JSON'],
    ['a raw newline', file(`{"\n":${entry(0, 0)}}`), 'is not JSON'],
    ['an open text', file('{"a'), 'a text of its header has no end'],
    ['an open escape', file('{"a\\'), 'a text of its header has no end'],
    ['a trailing comma', file(`{"a":${entry(0, 0)},}`), 'no "'],
    ['something after it', file('{} {}'), 'something follows its header'],
    ['deep nesting', file(`{"a":${'['.repeat(100_000)}`), 'no {'],
    ['a duplicate tensor', file(`{"a":${entry(0, 1)},"a":${entry(1, 2)}}`, 2), 'its header has "a" twice'],
    ['a disguised duplicate', file(`{"a":${entry(0, 1)},"\\u0061":${entry(1, 2)}}`, 2), 'its header has "a" twice'],
    ['duplicate metadata', file('{"__metadata__":{},"__metadata__":{}}'), 'has "__metadata__" twice'],
    ['duplicate fields', file(`{"a":${entry(0, 1, ',"dtype":"I8"')}}`, 1), 'its header has "dtype" twice'],
    ['unknown fields', file(`{"a":${entry(0, 1, ',"x":1')}}`, 1), '"a" has the unknown field "x"'],
    ['missing fields', file('{"a":{"dtype":"U8","shape":[]}}', 1), '"a" lacks a dtype, shape or data_offsets'],
    ['null metadata', file('{"__metadata__":null}'), 'no {'],
    ['metadata that is no text', file('{"__metadata__":{"a":1}}'), 'no "'],
    ['an unknown dtype', file('{"a":{"dtype":"F8_E5M2","shape":[],"data_offsets":[0,1]}}', 1), 'is not supported'],
    ['a dtype like constructor', file('{"a":{"dtype":"constructor","shape":[],"data_offsets":[0,1]}}', 1), 'supported'],
    ...['-1', '1.0', '1e2', '01', '+1', '"1"', 'true', 'NaN', long, '9007199254740992', '0x1', ''].map(
      (text): [string, Uint8Array, string] => [
        `the extent ${text}`,
        file(`{"a":{"dtype":"U8","shape":[${text}${text && ',1'}${text ? '' : ','}],"data_offsets":[0,1]}}`, 1),
        'of its header',
      ],
    ),
    [
      'a product that overflows',
      file('{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
      '"a" is too large',
    ],
    [
      'a product that overflows but for a 0',
      file('{"a":{"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}'),
      '"a" is too large',
    ],
    [
      'a width that overflows',
      file('{"a":{"dtype":"F64","shape":[9007199254740991],"data_offsets":[0,0]}}'),
      '"a" is too large',
    ],
    [
      '65 dimensions',
      file(`{"a":{"dtype":"U8","shape":[${Array(65).fill(1)}],"data_offsets":[0,1]}}`, 1),
      'a list of its header has more than 64 numbers',
    ],
    ['three offsets', file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}', 1), 'more than 2 numbers'],
    ['one offset', file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}', 1), '"a" has the data_offsets [0]'],
    ['offsets backwards', file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}', 1), 'the data_offsets [1, 0]'],
    ['a wrong size', file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}}', 7), 'takes 8 bytes and not 7'],
    ['a gap', file(`{"a":${entry(0, 1)},"b":${entry(2, 3)}}`, 3), '"b" begins at byte 2 of the data and not at 1'],
    ['an overlap', file(`{"a":${entry(0, 2)},"b":${entry(1, 3)}}`, 3), '"b" begins at byte 1 of the data and not at 2'],
    ['a shared tensor', file(`{"a":${entry(0, 2)},"b":${entry(0, 2)}}`, 2), '"b" begins at byte 0'],
    ['a hole at the begin', file(`{"a":${entry(1, 2)}}`, 2), '"a" begins at byte 1 of the data and not at 0'],
    ['a cut file', file(`{"a":${entry(0, 9)}}`, 8), 'it has 8 bytes of data and its header names 9'],
    ['a longer file', file(`{"a":${entry(0, 9)}}`, 10), 'it has 10 bytes of data and its header names 9'],
    ['a bool of 2', file('{"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', Uint8Array.of(2)), 'a bool other'],
  ])('refuses %s', (_, bytes, reason) => {
    const parse = () => parseSafetensors(bytes, 'model.safetensors')
    expect(parse).toThrow(UserError)
    expect(parse).toThrow(/^Cannot read model\.safetensors as safetensors: /)
    expect(parse).toThrow(reason)
  })

  it.each<[string, Parameters<typeof formatSafetensors>[0]]>([
    ['a size that is not the shape’s', { tensors: [['a', { dtype: 'int16', shape: [2], bytes: new Uint8Array(3) }]] }],
    ['a negative extent', { tensors: [['a', { dtype: 'int8', shape: [-1, -1], bytes: new Uint8Array(1) }]] }],
    ['the reserved name', { tensors: [['__metadata__', { dtype: 'int8', shape: [], bytes: new Uint8Array(1) }]] }],
    ['half a pair in a name', { tensors: [['\ud800', { dtype: 'int8', shape: [], bytes: new Uint8Array(1) }]] }],
    ['half a pair in metadata', { tensors: [], metadata: [['a', '\udfff']] }],
    [
      'a name twice',
      {
        tensors: [
          ['a', { dtype: 'int8', shape: [], bytes: new Uint8Array(1) }],
          ['a', { dtype: 'int8', shape: [], bytes: new Uint8Array(1) }],
        ],
      },
    ],
  ])('does not write %s', (_, content) => {
    expect(() => formatSafetensors(content)).toThrow('Cannot format')
  })

  it('shows no control character of a hostile name', () => {
    const name = '\\u001b[2J\u009b31m'
    expect(() => parseSafetensors(file(`{"${name}":${entry(1, 2)}}`, 2), 'memory')).toThrow(/^[\x20-\x7e]*$/)
  })

  it('refuses or reads any of 20,000 damaged files, and nothing else happens', () => {
    const originals = fc
      .sample(fc.tuple(anyTensors, anyMetadata), { numRuns: 50, seed: 7 })
      .map(([tensors, metadata]) => Buffer.concat(formatSafetensors({ tensors, metadata })))
    const next = lehmer(20_000)
    let refused = 0
    const before = process.memoryUsage()
    for (let round = 0; round < 20_000; round++) {
      let bytes: Uint8Array = originals[next(originals.length)] as Uint8Array
      for (let changes = 1 + next(3); changes > 0; changes--) bytes = damage(bytes, next)
      // Half of them keep a header length that fits, so that the damage behind it is looked at.
      if (bytes.length > 8 && next(2) === 0) {
        const end = bytes.lastIndexOf(0x7d) + 1
        bytes = new Uint8Array(bytes)
        if (end > 8) new DataView(bytes.buffer).setBigUint64(0, BigInt(end - 8), true)
      }
      try {
        for (const { dtype, shape, bytes: view } of parseSafetensors(bytes, 'memory').tensors.values()) {
          const length = shape.reduce((product, extent) => product * extent, widths[dtype])
          if (view.length !== length || view.buffer !== bytes.buffer) throw new Error('A tensor is not what it says')
        }
      } catch (error) {
        if (!(error instanceof UserError)) throw error
        refused++
      }
    }
    const after = process.memoryUsage()
    expect(refused).toBeGreaterThan(15_000)
    expect(refused).toBeLessThan(20_000)
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(50e6)
    expect(after.rss - before.rss).toBeLessThan(200e6)
  })
})

/** Integers below a limit, the same ones from the same seed. */
function lehmer(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state * 48271) % 2147483647
    return state % limit
  }
}

const tokens = ['{', '}', '[', ']', ',', ':', '"', '\\', '-', '0', '9'.repeat(20), '18446744073709551615', 'null']
const words = ['"__proto__"', '"__metadata__"', '"shape"', '\\ud800', '4294967296,', '1e9', '\0', ' '.repeat(40)]
const pieces = [...tokens, ...words].map((text) => Buffer.from(text))

function damage(bytes: Uint8Array, next: (limit: number) => number): Uint8Array {
  const at = next(bytes.length + 1)
  const until = Math.min(bytes.length, at + next(12))
  const head = bytes.subarray(0, at)
  switch (next(6)) {
    case 0: {
      const flipped = new Uint8Array(bytes)
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << next(8))
      return flipped
    }
    case 1:
      return Buffer.concat([head, pieces[next(pieces.length)] as Uint8Array, bytes.subarray(at)])
    case 2:
      return Buffer.concat([head, pieces[next(pieces.length)] as Uint8Array, bytes.subarray(until)])
    case 3:
      return Buffer.concat([head, bytes.subarray(until)])
    case 4:
      return Buffer.concat([head, bytes.subarray(at, until), bytes.subarray(at)])
    default:
      return new Uint8Array(head)
  }
}
