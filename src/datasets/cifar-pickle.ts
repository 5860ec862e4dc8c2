// The python pickles of CIFAR-10 and CIFAR-100, as Python 2 and 3 write them in protocols 0 to 5: plain values, and numpy arrays of bytes.
// This reads exactly those and calls nothing: a global is a word to compare, never a function to look up. Longer than most,
// because the opcodes of six protocols are one table.
import { UserError } from '../errors.ts'
import { ByteReader } from './byte-reader.ts'
import { showName } from './file-names.ts'

/** A numpy array of bytes, row by row. */
export class PickledArray {
  dimensions: readonly number[] = []
  /** as many as the dimensions' product; a view of the file */
  bytes: Uint8Array = new Uint8Array()
  /** whether BUILD has filled what REDUCE made */
  filled = false
}

/** What a pickle may hold: text as bytes, a list or tuple, a dictionary as a Map, so that no key means a thing to JavaScript. */
export type Pickled = null | boolean | number | Uint8Array | Pickled[] | Map<string, Pickled> | PickledArray | Word

/** A name that the pickle mentions, or numpy's type for bytes. */
class Word {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** Globals that may be mentioned, by what they do: an array to fill, an array of bytes, bytes of text before protocol 3. */
const globals: Readonly<Record<string, string>> = {
  'numpy.core.multiarray _reconstruct': 'reconstruct',
  'numpy._core.multiarray _reconstruct': 'reconstruct',
  'numpy.core.numeric _frombuffer': 'from buffer',
  'numpy._core.numeric _frombuffer': 'from buffer',
  'numpy ndarray': 'ndarray',
  'numpy dtype': 'dtype',
  '_codecs encode': 'encode',
}
const bytesType = 'uint8'
/** Some times what a file of 50,000 images has: a file of nothing but empty lists must not fill the memory. */
const mostValues = 400_000

/** The value in a pickle as CIFAR's are; for anything else a UserError that says at which byte. */
export function readPickle(bytes: Uint8Array, file: string): Pickled {
  return new Reader(bytes, file).read()
}

class Reader {
  readonly #input: ByteReader
  readonly #file: string
  readonly #stack: Pickled[] = []
  /** values kept for a later use, by number */
  readonly #memo = new Map<number, Pickled>()
  /** where in the stack the open marks are */
  readonly #marks: number[] = []
  #values = 0

  constructor(bytes: Uint8Array, file: string) {
    this.#input = new ByteReader(bytes, (reason) => this.#error(reason))
    this.#file = file
  }

  read(): Pickled {
    for (;;) {
      const code = this.#input.byte()
      if (code !== 0x2e /* STOP */) {
        this.#step(code)
        continue
      }
      const value = this.#pop()
      if (this.#stack.length + this.#marks.length > 0) throw this.#error('values are left over at its end')
      return value
    }
  }

  #step(code: number): void {
    if (code === 0x80 /* PROTO */) {
      if (this.#input.byte() > 5) throw this.#error('its pickle protocol is later than 5')
    } else if (code === 0x95 /* FRAME */) this.#input.skip(8)
    else if (code === 0x70 /* PUT */) this.#keep(this.#whole(this.#text()))
    else if (code === 0x71 /* BINPUT */) this.#keep(this.#input.byte())
    else if (code === 0x72 /* LONG_BINPUT */) this.#keep(this.#input.uint32())
    else if (code === 0x94 /* MEMOIZE */) this.#keep(this.#memo.size)
    else if (code === 0x61 /* APPEND */) this.#append([this.#pop()])
    else if (code === 0x73 /* SETITEM */) this.#setItems([this.#pop(), this.#pop()].reverse())
    else if (code === 0x28 /* MARK */) this.#marks.push(this.#stack.length)
    else if (code === 0x65 /* APPENDS */) this.#append(this.#sinceMark())
    else if (code === 0x75 /* SETITEMS */) this.#setItems(this.#sinceMark())
    else if (code === 0x62 /* BUILD */) this.#build(this.#pop())
    else this.#push(this.#value(code))
  }

  /** The value that an opcode makes. */
  #value(code: number): Pickled {
    switch (code) {
      case 0x7d: // EMPTY_DICT
        return new Map()
      case 0x5d: // EMPTY_LIST
        return []
      case 0x4e: // NONE
        return null
      case 0x6c: // LIST
        return this.#sinceMark()
      case 0x64: // DICT
        return this.#dictionary(this.#sinceMark())
      case 0x29: // EMPTY_TUPLE
        return []
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        return code === 0x88
      case 0x49: // INT
        return this.#integer()
      case 0x4c: // LONG
        return this.#whole(this.#text().replace(/L$/, ''))
      case 0x4b: // BININT1
        return this.#input.byte()
      case 0x4d: // BININT2
        return this.#input.uint16()
      case 0x4a: // BININT
        return this.#input.int32()
      case 0x55: // SHORT_BINSTRING
        return this.#input.take(this.#input.byte())
      case 0x54: // BINSTRING
        return this.#input.take(this.#input.int32())
      case 0x43: // SHORT_BINBYTES
      case 0x8c: // SHORT_BINUNICODE
        return this.#input.take(this.#input.byte())
      case 0x42: // BINBYTES
      case 0x58: // BINUNICODE
        return this.#input.take(this.#input.uint32())
      case 0x8d: // BINUNICODE8
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#input.take(this.#input.uint64())
      case 0x56: // UNICODE
        return unescaped(this.#input.line())
      case 0x67: // GET
        return this.#kept(this.#whole(this.#text()))
      case 0x68: // BINGET
        return this.#kept(this.#input.byte())
      case 0x6a: // LONG_BINGET
        return this.#kept(this.#input.uint32())
      case 0x63: // GLOBAL
        return this.#word(`${this.#text()} ${this.#text()}`)
      case 0x93: // STACK_GLOBAL
        return this.#word([this.#pop(), this.#pop()].reverse().map(shown).join(' '))
      case 0x85: // TUPLE1, TUPLE2, TUPLE3
      case 0x86:
      case 0x87:
        return Array.from({ length: code - 0x84 }, () => this.#pop()).reverse()
      case 0x74: // TUPLE
        return this.#sinceMark()
      case 0x52: // REDUCE
        return this.#reduce()
      default:
        throw this.#error(`opcode 0x${code.toString(16).padStart(2, '0')} does not occur in files of CIFAR`)
    }
  }

  #error(reason: string): UserError {
    const where = `byte ${this.#input.at} of ${this.#input.length}`
    return new UserError(
      'data',
      `Cannot read "${this.#file}" as a python file of CIFAR: ${reason} (${where}). ${remedy}`,
    )
  }

  #push(item: Pickled): void {
    if (++this.#values > mostValues) throw this.#error(`it holds more than ${mostValues} values`)
    this.#stack.push(item)
  }

  #pop(): Pickled {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.#error('a value is missing')
    return this.#stack.pop() as Pickled
  }

  #sinceMark(): Pickled[] {
    const from = this.#marks.pop()
    if (from === undefined) throw this.#error('a mark is missing')
    return this.#stack.splice(from)
  }

  #append(items: readonly Pickled[]): void {
    const list = this.#stack.at(-1)
    if (!Array.isArray(list)) throw this.#error('values are added to something that is no list')
    for (const item of items) list.push(item)
  }

  #setItems(items: readonly Pickled[]): void {
    const map = this.#stack.at(-1)
    if (!(map instanceof Map)) throw this.#error('keys are set in something that is no dictionary')
    this.#dictionary(items, map)
  }

  #dictionary(items: readonly Pickled[], map = new Map<string, Pickled>()): Map<string, Pickled> {
    if (items.length % 2 !== 0) throw this.#error('a key has no value')
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]
      if (!(key instanceof Uint8Array)) throw this.#error('a key is no text')
      const name = showName(key)
      if (map.has(name)) throw this.#error(`the key "${name}" comes twice`)
      map.set(name, items[i + 1] as Pickled)
    }
    return map
  }

  #keep(number: number): void {
    if (this.#memo.size >= mostValues) throw this.#error(`it keeps more than ${mostValues} values`)
    this.#memo.set(number, this.#stack.at(-1) as Pickled)
  }

  #kept(number: number): Pickled {
    const value = this.#memo.get(number)
    if (value === undefined) throw this.#error(`it uses a value ${number} that it has not kept`)
    return value
  }

  #text(): string {
    const line = this.#input.line()
    if (line.length > 100) throw this.#error('a name or number is too long')
    return showName(line)
  }

  /** Before protocol 2, 00 and 01 are the truth values. */
  #integer(): number | boolean {
    const text = this.#text()
    return text === '00' || text === '01' ? text === '01' : this.#whole(text)
  }

  #whole(text: string): number {
    if (!/^-?\d{1,15}$/.test(text)) throw this.#error(`"${text}" is no whole number`)
    return Number(text)
  }

  #word(text: string): Word {
    const word = Object.hasOwn(globals, text) ? globals[text] : undefined
    if (word === undefined) throw this.#error(`it asks for "${text}"`)
    return new Word(word)
  }

  /**
   * reconstruct(ndarray, …) makes an array to fill; from buffer(bytes, type, dimensions, order) a full one; dtype('u1', …)
   * is the type of bytes; encode(text, 'latin1') gives a byte for each character.
   */
  #reduce(): PickledArray | Word | Uint8Array {
    const [given, callee] = [this.#pop(), this.#pop()]
    const [first = null, second = null, third = null, fourth = null] = Array.isArray(given) ? given : []
    if (isWord(callee, 'reconstruct') && isWord(first, 'ndarray')) return new PickledArray()
    if (isWord(callee, 'from buffer')) {
      const made = new PickledArray()
      this.#fill(made, [1, third, second, shown(fourth) !== 'C', first])
      return made
    }
    if (isWord(callee, 'dtype') && shown(first) === 'u1') return new Word(bytesType)
    if (isWord(callee, 'encode') && first instanceof Uint8Array && shown(second) === 'latin1') return latin1(first)
    throw this.#error('something is made that is no array of bytes')
  }

  #build(state: Pickled): void {
    const made = this.#stack.at(-1)
    if (isWord(made, bytesType)) return
    if (!(made instanceof PickledArray) || made.filled || !Array.isArray(state))
      throw this.#error('a state fits nothing')
    this.#fill(made, state)
  }

  #fill(made: PickledArray, state: readonly Pickled[]): void {
    const [version, dimensions, type, columnsFirst, bytes] = state
    if (version !== 1 || !isWord(type, bytesType) || columnsFirst !== false)
      throw this.#error('an array is not of bytes in rows')
    if (!Array.isArray(dimensions) || !(bytes instanceof Uint8Array))
      throw this.#error('an array has no size or no bytes')
    // by division, so that no product of huge dimensions can wrap round to the right number
    let rest = bytes.length
    for (const length of dimensions) {
      if (typeof length !== 'number' || length < 1 || rest % length !== 0)
        throw this.#error('an array has other dimensions than bytes')
      rest /= length
    }
    if (rest !== 1) throw this.#error('an array has other dimensions than bytes')
    made.dimensions = dimensions.map(Number)
    made.bytes = bytes
    made.filled = true
  }
}

const remedy = 'Unpack it again; where a program of yours wrote it, let that write the binary form, or class folders'

function isWord(value: Pickled | undefined, text: string): boolean {
  return value instanceof Word && value.text === text
}

/** Text as a string, and of anything else nothing. */
function shown(value: Pickled): string {
  return value instanceof Uint8Array ? showName(value.subarray(0, 100)) : ''
}

/** Bytes whose values are the characters of UTF-8 text. */
function latin1(text: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8'), 'latin1')
}

/** A line of Python's raw-unicode-escape, as UTF-8. */
function unescaped(line: Uint8Array): Uint8Array {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('latin1')
  return Buffer.from(
    text.replace(/\\u([0-9a-f]{4})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
  )
}
