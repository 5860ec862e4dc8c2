import { native } from './native.ts'
import { Tensor } from './tensor.ts'

/** The bytes of a file that is not empty, read page by page when they are looked at; what is written there stays here. */
export function mapFile(path: string): Uint8Array {
  return new Uint8Array(native().mapFile(path))
}

/** A uint8 tensor over `bytes` themselves: whoever holds the tensor must hold them too. */
export function borrow(bytes: Uint8Array, shape: readonly number[]): Tensor {
  return Tensor.wrap(native().borrow(bytes, shape))
}

/** Tells the system that `length` bytes from `from` on are about to be read, where they are a file's. */
export function willNeed(bytes: Uint8Array, from: number, length: number): void {
  native().willNeed(bytes, from, length)
}
