import { UserError } from '../errors.ts'
import type { Rows } from '../training/rows.ts'
import {
  type Broken,
  blockLength,
  type DecodedSize,
  type DecodedStore,
  decodedFolder,
  decodedInMemory,
  decodedOnDisk,
  forgetDecoded,
} from './decode-cache.ts'
import type { Decoder } from './decode-image.ts'
import type { Encoded } from './encoded.ts'

/** how many images are decoded at a time: twice as many as Node has threads for it, so that none waits */
const together = 8

export interface DecodedRows {
  /** of all images, also of those that did not decode, which are black */
  readonly rows: Rows
  /** by place, why an image did not decode */
  readonly broken: ReadonlyMap<number, string>
}

interface DecodeWay {
  /** names the images and the way they are decoded */
  readonly key: string
  readonly decoder: Decoder
  /** of a decoded image */
  readonly bytes: number
  progress(done: number, total: number): void
}

/**
 * The rows of all images, from the cache those that were decoded before. A cache that cannot be written, on a full or
 * read-only disk, costs a warning and the memory.
 */
export async function decodeRows(images: readonly Encoded[], way: DecodeWay): Promise<DecodedRows> {
  const size = { count: images.length, bytes: way.bytes }
  try {
    return await decodeInto(await decodedOnDisk(way.key, size), images, way)
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string' || error instanceof UserError) throw error
    await forgetDecoded(way.key)
    process.emitWarning(`Decoded images are not kept in "${decodedFolder()}": ${(error as Error).message}`)
    return decodeInto(decodedInMemory(size), images, way)
  }
}

async function decodeInto(store: DecodedStore, images: readonly Encoded[], way: DecodeWay): Promise<DecodedRows> {
  try {
    const broken = await decodeMissing(store, images, way)
    const { bytes } = way
    const at = Int32Array.from(images.keys())
    return { rows: { stores: store.rows(), bytes, mapped: store.mapped, at }, broken: new Map(broken.sort(byPlace)) }
  } finally {
    await store.close()
  }
}

const byPlace = ([a]: Broken, [b]: Broken) => a - b

/** A block at work. */
interface Block {
  readonly rows: Uint8Array
  readonly broken: Broken[]
  /** images that are not decoded yet */
  left: number
  /** a disk's momentary failure must not be kept as the file's */
  keep: boolean
}

/** Decodes the blocks that are not there, and gives what did not decode in any. */
async function decodeMissing(store: DecodedStore, images: readonly Encoded[], way: DecodeWay): Promise<Broken[]> {
  const { decoder, bytes, progress } = way
  const size: DecodedSize = { count: images.length, bytes }
  const length = blockLength(size)
  const broken = [...store.done.values()].flat()
  const left = Array.from(images.keys()).filter((i) => !store.done.has(Math.floor(i / length)))
  const blocks = new Map<number, Block>()
  const blockOf = (number: number) => {
    const found = blocks.get(number) ?? begun(Math.min(length, images.length - number * length), bytes)
    blocks.set(number, found)
    return found
  }
  let next = 0
  let done = images.length - left.length
  const decodeOne = async (i: number) => {
    const number = Math.floor(i / length)
    const block = blockOf(number)
    let content: Uint8Array | undefined
    try {
      content = await (images[i] as Encoded).read()
      block.rows.set(await decoder.decode(content), (i % length) * bytes)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      block.broken.push([i, error.message])
      if (content === undefined) block.keep = false
    }
    if (++done % 100 === 0) progress(done, images.length)
    if (--block.left > 0) return
    blocks.delete(number)
    broken.push(...block.broken)
    await store.put(number, block.rows, block)
  }
  const work = async () => {
    try {
      while (next < left.length) await decodeOne(left[next++] as number)
    } catch (error) {
      next = left.length // the others stop too
      throw error
    }
  }
  await Promise.all(Array.from({ length: together }, work))
  progress(images.length, images.length)
  return broken
}

const begun = (images: number, bytes: number): Block => ({
  rows: new Uint8Array(images * bytes),
  broken: [],
  left: images,
  keep: true,
})
