/** Reads a file's bytes from front to back; whoever asks for more than there are gets an error and no memory. */
export class ByteReader {
  readonly length: number
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #fail: (reason: string) => Error
  #at = 0

  constructor(bytes: Uint8Array, fail: (reason: string) => Error) {
    this.length = bytes.length
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#fail = fail
  }

  /** how many bytes were read */
  get at(): number {
    return this.#at
  }

  /** The position before `count` bytes, which are passed over. */
  skip(count: number): number {
    if (count < 0 || count > this.length - this.#at) {
      throw this.#fail(`it ends where ${count} more bytes should follow`)
    }
    this.#at += count
    return this.#at - count
  }

  byte(): number {
    return this.#bytes[this.skip(1)] as number
  }

  uint16(): number {
    return this.#view.getUint16(this.skip(2), true)
  }

  int32(): number {
    return this.#view.getInt32(this.skip(4), true)
  }

  uint32(): number {
    return this.#view.getUint32(this.skip(4), true)
  }

  uint64(): number {
    return Number(this.#view.getBigUint64(this.skip(8), true))
  }

  /** A view of the next bytes. */
  take(count: number): Uint8Array {
    const from = this.skip(count)
    return this.#bytes.subarray(from, this.#at)
  }

  /** The bytes up to the next line feed, which is passed over. */
  line(): Uint8Array {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw this.#fail('a line has no end')
    return this.take(end + 1 - this.#at).subarray(0, -1)
  }
}
