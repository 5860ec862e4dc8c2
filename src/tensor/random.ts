import { createHash } from 'node:crypto'
import { type Shape, type Tensor, tensor, zeros } from './tensor.ts'

/**
 * A seeded stream of random numbers that forks by name. A fork's key is a SHA-256 of its parent's key and its name:
 * from a fork neither its parent nor its siblings can be derived. All draws are made on the host, so that they are the
 * same on every device.
 */
export class Random {
  readonly #key: Buffer
  readonly #state = new Uint32Array(4)

  constructor(seed: number | Buffer) {
    this.#key = typeof seed === 'number' ? hash(Buffer.from('seed'), String(seed)) : seed
    const start = hash(this.#key, 'stream')
    for (let i = 0; i < 4; i++) this.#state[i] = start.readUInt32LE(4 * i)
  }

  /** An independent stream for one purpose. Does not advance this one. */
  fork(name: string): Random {
    return new Random(this.keyOf(name))
  }

  protected keyOf(name: string): Buffer {
    return hash(this.#key, `fork ${name}`)
  }

  /** 32 random bits: xoshiro128** (Blackman and Vigna 2018). */
  bits(): number {
    const s = this.#state as unknown as [number, number, number, number]
    const scrambled = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0
    const shifted = s[1] << 9
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= shifted
    s[3] = rotate(s[3], 11)
    return scrambled
  }

  /** In [0, 1), a multiple of 2^-24: exact in float32. */
  uniform(): number {
    return (this.bits() >>> 8) / 0x1000000
  }

  /** A whole number in [0, end), end at most 2^32, without bias worth mentioning for end up to 2^20. */
  integer(end: number): number {
    return Math.floor((this.bits() / 0x100000000) * end)
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log((this.bits() + 1) / 0x100000001))
    return radius * Math.cos(2 * Math.PI * (this.bits() / 0x100000000))
  }

  /**
   * Beta(a, b) by Jöhnk's rejection: X / (X + Y) of X = U^(1/a) and Y = V^(1/b) where X + Y ≤ 1. Meant for small a and b:
   * at 4 and 4 one trial in 70 is taken.
   */
  beta(a: number, b: number): number {
    for (;;) {
      const x = this.uniform() ** (1 / a)
      const y = this.uniform() ** (1 / b)
      if (x + y > 0 && x + y <= 1) return x / (x + y)
    }
  }

  /** 0 … count-1 in random order. */
  permutation(count: number): Int32Array {
    const order = Int32Array.from({ length: count }, (_, i) => i)
    for (let i = count - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      const other = order[j] as number
      order[j] = order[i] as number
      order[i] = other
    }
    return order
  }

  /** float32 on the CPU, uniform in [low, high). */
  uniformTensor(shape: Shape, low = 0, high = 1): Tensor {
    return this.#fill(shape, () => low + (high - low) * this.uniform())
  }

  /** float32 on the CPU, normal. */
  normalTensor(shape: Shape, mean = 0, deviation = 1): Tensor {
    return this.#fill(shape, () => mean + deviation * this.normal())
  }

  /** Where the stream stands, for a checkpoint. */
  state(): number[] {
    return [...this.#state]
  }

  restore(state: readonly number[]): void {
    this.#state.set(state)
  }

  #fill(shape: Shape, draw: () => number): Tensor {
    const values = new Float32Array(shape.reduce((product, length) => product * length, 1))
    for (let i = 0; i < values.length; i++) values[i] = draw()
    return tensor(values, shape)
  }
}

/**
 * Makes tensors of zeros where random ones would be overwritten at once, as by the weights of a saved model. On the device
 * `meta` tensors have shapes and no memory.
 */
export class Blank extends Random {
  readonly #device: string

  constructor(device = 'cpu', key: number | Buffer = 0) {
    super(key)
    this.#device = device
  }

  override fork(name: string): Random {
    return new Blank(this.#device, this.keyOf(name))
  }

  override uniformTensor(shape: Shape): Tensor {
    return zeros(shape, { device: this.#device })
  }

  override normalTensor(shape: Shape): Tensor {
    return zeros(shape, { device: this.#device })
  }
}

const rotate = (x: number, by: number) => ((x << by) | (x >>> (32 - by))) >>> 0

const hash = (key: Buffer, text: string) => createHash('sha256').update(key).update(text).digest()
