// The python pickles of CIFAR-10 use 22 of the format's opcodes and build three numpy objects. This reads exactly
// those, into plain values, and calls nothing: a global is a word to compare, never a function to look up.
import { UserError } from '../errors.ts'
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

const reconstruct = 'numpy.core.multiarray _reconstruct'
const ndarray = 'numpy ndarray'
const dtype = 'numpy dtype'
const bytesType = 'uint8'
/** Four times what a batch of 10,000 images has: a file of nothing but empty lists must not fill the memory. */
const mostValues = 100_000

/** The value in a pickle as CIFAR-10's are; for anything else a UserError that says at which byte. */
export function readPickle(bytes: Uint8Array, file: string): Pickled {
  return new Reader(bytes, file).read()
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #file: string
  readonly #stack: Pickled[] = []
  /** where in the stack the open marks are */
  readonly #marks: number[] = []
  #at = 0
  #values = 0

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#file = file
  }

  read(): Pickled {
    for (;;) {
      const code = this.#byte()
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
      if (this.#byte() !== 2) throw this.#error('its pickle protocol is not 2')
      // BINPUT and LONG_BINPUT keep a value for a later use, which these files never make of it
    } else if (code === 0x71 /* BINPUT */) this.#skip(1)
    else if (code === 0x72 /* LONG_BINPUT */) this.#skip(4)
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
      case 0x89: // NEWFALSE
        return false
      case 0x4b: // BININT1
        return this.#byte()
      case 0x4d: // BININT2
        return this.#view.getUint16(this.#skip(2), true)
      case 0x4a: // BININT
        return this.#view.getInt32(this.#skip(4), true)
      case 0x55: // SHORT_BINSTRING
        return this.#take(this.#byte())
      case 0x54: // BINSTRING
        return this.#take(this.#view.getInt32(this.#skip(4), true))
      case 0x63: // GLOBAL
        return this.#word()
      case 0x85: // TUPLE1, TUPLE2, TUPLE3
      case 0x86:
      case 0x87:
        return Array.from({ length: code - 0x84 }, () => this.#pop()).reverse()
      case 0x74: // TUPLE
        return this.#sinceMark()
      case 0x52: // REDUCE
        return this.#reduce()
      default:
        throw this.#error(`opcode 0x${code.toString(16).padStart(2, '0')} does not occur in CIFAR-10's files`)
    }
  }

  #error(reason: string): UserError {
    const where = `byte ${this.#at} of ${this.#bytes.length}`
    return new UserError(
      'data',
      `Cannot read "${this.#file}" as a python batch of CIFAR-10: ${reason} (${where}). Unpack cifar-10-python.tar.gz again`,
    )
  }

  /** The position before `count` bytes, which are passed over. */
  #skip(count: number): number {
    if (count < 0 || count > this.#bytes.length - this.#at)
      throw this.#error(`it ends where ${count} more bytes should follow`)
    this.#at += count
    return this.#at - count
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)] as number
  }

  #take(count: number): Uint8Array {
    const from = this.#skip(count)
    return this.#bytes.subarray(from, this.#at)
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
    if (!(map instanceof Map) || items.length % 2 !== 0)
      throw this.#error('keys are set in something that is no dictionary')
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]
      if (!(key instanceof Uint8Array)) throw this.#error('a key is no text')
      const name = showName(key)
      if (map.has(name)) throw this.#error(`the key "${name}" comes twice`)
      map.set(name, items[i + 1] as Pickled)
    }
  }

  #line(): string {
    const end = this.#bytes.subarray(this.#at, this.#at + 100).indexOf(0x0a)
    if (end < 0) throw this.#error('a name has no end')
    return showName(this.#take(end + 1).subarray(0, end))
  }

  #word(): Word {
    const text = `${this.#line()} ${this.#line()}`
    if (text !== reconstruct && text !== ndarray && text !== dtype) throw this.#error(`it asks for "${text}"`)
    return new Word(text)
  }

  /** _reconstruct(ndarray, …) makes an array to fill; dtype('u1', …) is the type of bytes. */
  #reduce(): PickledArray | Word {
    const [given, callee] = [this.#pop(), this.#pop()]
    const first = Array.isArray(given) ? given[0] : null
    if (isWord(callee, reconstruct) && isWord(first, ndarray)) return new PickledArray()
    if (isWord(callee, dtype) && first instanceof Uint8Array && showName(first) === 'u1') return new Word(bytesType)
    throw this.#error('something is made that is no array of bytes')
  }

  #build(state: Pickled): void {
    const made = this.#stack.at(-1)
    if (isWord(made, bytesType)) return
    if (!(made instanceof PickledArray) || made.filled || !Array.isArray(state))
      throw this.#error('a state fits nothing')
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

function isWord(value: Pickled | undefined, text: string): boolean {
  return value instanceof Word && value.text === text
}
