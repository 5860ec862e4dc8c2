/**
 * The safetensors format, bytes only: https://github.com/huggingface/safetensors#format
 *
 *   8 bytes    length of the header, little endian
 *   header     JSON: {"__metadata__": {key: text}, NAME: {"dtype", "shape", "data_offsets": [begin, end]}}, and spaces
 *   data       the tensors, row-major, little endian, back to back
 *
 * A file comes from anywhere, so everything in it is checked, and nothing it claims is allocated: tensors are views.
 * Reader and writer share a file, longer than most, so that one rule cannot change without the other.
 */
import { UserError } from '../errors.ts'

const kinds = {
  F64: ['float64', 8],
  I64: ['int64', 8],
  F32: ['float32', 4],
  I32: ['int32', 4],
  F16: ['float16', 2],
  BF16: ['bfloat16', 2],
  I16: ['int16', 2],
  U8: ['uint8', 1],
  I8: ['int8', 1],
  BOOL: ['bool', 1],
} as const

type StoredType = (typeof kinds)[keyof typeof kinds][0]

const kindsByCode = new Map<string, readonly [StoredType, number]>(Object.entries(kinds))
const codesByType = new Map(Object.entries(kinds).map(([code, [dtype, size]]) => [dtype as string, { code, size }]))

/** The reference reader's limit. */
const largestHeader = 100_000_000
/** What libtorch's operators take. */
const mostDimensions = 64

export interface StoredTensor {
  readonly dtype: StoredType
  readonly shape: readonly number[]
  /** row-major, little endian; as parsed, a view into the file's bytes at any alignment */
  readonly bytes: Uint8Array
}

export interface Safetensors {
  /** by name, in the header's order */
  readonly tensors: Map<string, StoredTensor>
  readonly metadata: Map<string, string>
}

/** Whether bytes begin as such a file does: those of a picture, a text or an archive do not. */
export function looksLikeSafetensors(bytes: Uint8Array): boolean {
  return bytes.length > 8 && bytes[8] === 0x7b && headerLength(bytes) <= largestHeader
}

const headerLength = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)

/** Reads a file's bytes; `source` names it in the error. Anything but a flawless file is a UserError. */
export function parseSafetensors(bytes: Uint8Array, source: string): Safetensors {
  const fail: Fail = (reason) => {
    throw new UserError('data', `Cannot read ${source} as safetensors: ${reason}`)
  }
  if (bytes.length < 8) return fail(`${bytes.length} bytes are too few for its header`)
  const claimed = headerLength(bytes)
  if (claimed > largestHeader) return fail(`its header of ${claimed} bytes is over the limit of ${largestHeader}`)
  const dataBegin = 8 + Number(claimed)
  if (dataBegin > bytes.length) return fail(`its header of ${claimed} bytes ends after the file, which may be cut off`)
  const { entries, metadata } = new Header(headerText(bytes.subarray(8, dataBegin), fail), fail).read()
  checkCoverage(entries, bytes.length - dataBegin, fail)
  const tensors = new Map<string, StoredTensor>()
  for (const [name, { dtype, shape, begin, end }] of entries) {
    const data = bytes.subarray(dataBegin + begin, dataBegin + end)
    if (dtype === 'bool' && data.some((byte) => byte > 1)) return fail(`${quote(name)} holds a bool other than 0 and 1`)
    tensors.set(name, { dtype, shape, bytes: data })
  }
  return { tensors, metadata }
}

/**
 * The file as chunks to write one after the other; the same content gives the same bytes in whatever order it comes.
 * Wide types go first, then by name, so that every tensor lies aligned.
 */
export function formatSafetensors(content: {
  readonly tensors: Iterable<readonly [string, StoredTensor]>
  readonly metadata?: Iterable<readonly [string, string]>
}): Uint8Array[] {
  const tensors = [...content.tensors].map(([name, tensor]) => ({ name, tensor, ...describe(name, tensor) }))
  tensors.sort((a, b) => b.size - a.size || compare(a.name, b.name))
  const metadata = [...(content.metadata ?? [])].sort(([a], [b]) => compare(a, b))
  checkNames(['__metadata__', ...tensors.map(({ name }) => name)])
  checkNames(metadata.map(([key]) => key))
  checkText(metadata.map(([, text]) => text))

  const fields: string[] = []
  if (metadata.length > 0) {
    const pairs = metadata.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`)
    fields.push(`"__metadata__":{${pairs.join(',')}}`)
  }
  let offset = 0
  for (const { name, tensor, code } of tensors) {
    const end = offset + tensor.bytes.length
    const info = { dtype: code, shape: tensor.shape, data_offsets: [offset, end] }
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`)
    offset = end
  }
  const json = new TextEncoder().encode(`{${fields.join(',')}}`)
  const length = Math.ceil(json.length / 8) * 8
  if (length > largestHeader)
    throw new Error(`Cannot format safetensors: a header of ${length} bytes is over the limit`)
  const head = new Uint8Array(8 + length).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true)
  head.set(json, 8)
  return [head, ...tensors.map(({ tensor }) => tensor.bytes)]
}

type Fail = (reason: string) => never

interface Entry {
  readonly dtype: StoredType
  readonly shape: number[]
  /** in bytes from the begin of the data */
  readonly begin: number
  readonly end: number
}

function headerText(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return fail('its header is not UTF-8')
  }
}

/** Back to back, in whatever order the header names them, from the first byte of the data to the last. */
function checkCoverage(entries: Map<string, Entry>, length: number, fail: Fail): void {
  let position = 0
  for (const [name, { begin, end }] of [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== position) fail(`${quote(name)} begins at byte ${begin} of the data and not at ${position}`)
    position = end
  }
  if (position !== length) fail(`it has ${length} bytes of data and its header names ${position}`)
}

/**
 * The header's JSON and no other: `JSON.parse` keeps the last of two equal keys, rounds large integers and takes any
 * nesting. One pass, no recursion.
 */
class Header {
  readonly #text: string
  readonly #fail: Fail
  #position = 0

  constructor(text: string, fail: Fail) {
    this.#text = text
    this.#fail = fail
  }

  read(): { entries: Map<string, Entry>; metadata: Map<string, string> } {
    const entries = new Map<string, Entry>()
    const metadata = new Map<string, string>()
    if (!this.#text.startsWith('{')) this.#fail('its header does not begin with {')
    this.#object((name) => {
      if (name === '__metadata__') this.#object((key) => metadata.set(key, this.#string()))
      else entries.set(name, this.#entry(name))
    })
    this.#space()
    if (this.#position < this.#text.length) this.#fail(`something follows its header at character ${this.#position}`)
    return { entries, metadata }
  }

  #entry(name: string): Entry {
    let code: string | undefined
    let shape: number[] | undefined
    let offsets: number[] | undefined
    this.#object((field) => {
      if (field === 'dtype') code = this.#string()
      else if (field === 'shape') shape = this.#integers(mostDimensions)
      else if (field === 'data_offsets') offsets = this.#integers(2)
      else this.#fail(`${quote(name)} has the unknown field ${quote(field)}`)
    })
    if (code === undefined || shape === undefined || offsets === undefined) {
      return this.#fail(`${quote(name)} lacks a dtype, shape or data_offsets`)
    }
    const kind = kindsByCode.get(code)
    if (!kind) return this.#fail(`${quote(name)} has the dtype ${quote(code)}, which is not supported`)
    const [dtype, size] = kind
    const length = byteLength(shape, size)
    if (length === undefined) return this.#fail(`${quote(name)} is too large: [${shape.join(', ')}]`)
    const [begin, end] = offsets
    if (begin === undefined || end === undefined || begin > end) {
      return this.#fail(`${quote(name)} has the data_offsets [${offsets.join(', ')}]`)
    }
    if (end - begin !== length) {
      return this.#fail(`${quote(name)}, ${dtype} [${shape.join(', ')}], takes ${length} bytes and not ${end - begin}`)
    }
    return { dtype, shape, begin, end }
  }

  /** Calls `value` at each value, having read its key. */
  #object(value: (key: string) => void): void {
    const seen = new Set<string>()
    this.#sequence('{', '}', () => {
      const key = this.#string()
      if (seen.has(key)) this.#fail(`its header has ${quote(key)} twice`)
      seen.add(key)
      this.#expect(':')
      value(key)
    })
  }

  #integers(most: number): number[] {
    const values: number[] = []
    this.#sequence('[', ']', () => {
      if (values.length === most) this.#fail(`a list of its header has more than ${most} numbers`)
      values.push(this.#integer())
    })
    return values
  }

  #sequence(open: string, close: string, element: () => void): void {
    this.#expect(open)
    if (this.#accept(close)) return
    do element()
    while (this.#accept(','))
    this.#expect(close)
  }

  #integer(): number {
    this.#space()
    const pattern = /(?:0|[1-9][0-9]{0,15})(?![0-9.eE])/y
    pattern.lastIndex = this.#position
    const value = Number(pattern.exec(this.#text)?.[0] ?? Number.NaN)
    if (!Number.isSafeInteger(value))
      this.#fail(`no number from 0 to 2^53-1 at character ${this.#position} of its header`)
    this.#position = pattern.lastIndex
    return value
  }

  #string(): string {
    this.#expect('"')
    const begin = this.#position
    let end = begin
    for (; this.#text[end] !== '"'; end++) {
      if (this.#text[end] === '\\') end++
      if (end >= this.#text.length) this.#fail('a text of its header has no end')
    }
    this.#position = end + 1
    let value: string
    try {
      value = JSON.parse(this.#text.slice(begin - 1, end + 1)) as string
    } catch {
      return this.#fail(`the text at character ${begin} of its header is not JSON`)
    }
    if (/\p{Surrogate}/u.test(value)) this.#fail(`the text at character ${begin} of its header is not Unicode`)
    return value
  }

  #expect(character: string): void {
    if (!this.#accept(character)) this.#fail(`no ${character} at character ${this.#position} of its header`)
  }

  #accept(character: string): boolean {
    this.#space()
    if (this.#text[this.#position] !== character) return false
    this.#position++
    return true
  }

  #space(): void {
    const pattern = /[ \t\n\r]*/y
    pattern.lastIndex = this.#position
    pattern.test(this.#text)
    this.#position = pattern.lastIndex
  }
}

/** undefined where it passes 2^53-1, or would but for an extent of 0: libtorch's strides overflow all the same. */
function byteLength(shape: readonly number[], size: number): number | undefined {
  let length = size
  for (const extent of shape) {
    length *= Math.max(extent, 1)
    if (!Number.isSafeInteger(length)) return undefined
  }
  return shape.includes(0) ? 0 : length
}

function describe(name: string, { dtype, shape, bytes }: StoredTensor): { code: string; size: number } {
  const kind = codesByType.get(dtype)
  const whole = shape.length <= mostDimensions && shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)
  if (!kind || !whole || byteLength(shape, kind.size) !== bytes.length) {
    throw new Error(`Cannot format ${quote(name)}: ${dtype} [${shape.join(', ')}] of ${bytes.length} bytes`)
  }
  return kind
}

function checkNames(names: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) throw new Error(`Cannot format safetensors: ${quote(name)} comes twice or is reserved`)
    seen.add(name)
  }
  checkText(names)
}

function checkText(texts: readonly string[]): void {
  const bad = texts.find((text) => /\p{Surrogate}/u.test(text))
  if (bad !== undefined) throw new Error(`Cannot format safetensors: ${quote(bad)} is not Unicode`)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Short, and with no control character for a terminal. */
function quote(text: string): string {
  const safe = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  return safe.replace(/[\x7f-\x9f]/g, '?')
}
