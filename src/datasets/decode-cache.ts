// Decoded images are kept, because decoding takes minutes and reading them back takes little. A folder for each list of
// files and way of decoding holds
//
//   rows-0, rows-1, …   pixels, uint8 [size, size, 3] an image, one after another; files of at most 1 GiB
//   blocks.jsonl        a line for each block of images: its number, the SHA-256 of its rows, what did not decode
//
// A block's line is written after its rows, so that decoding that was broken off goes on at the next block. A block whose
// hash is another one is damaged and decoded again. Two processes that decode the same list write the same bytes. The files
// are mapped into memory: training reads the pages it needs, and the system drops them where memory is short.
import { createHash } from 'node:crypto'
import { existsSync, utimesSync } from 'node:fs'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { cachePath, readJsonLines } from '../files.ts'
import { mapFile } from '../tensor/memory.ts'

/** An image that did not decode, by its place in the list, and why. */
export type Broken = readonly [image: number, reason: string]

/** How many images there are, and the bytes of one. */
export interface DecodedSize {
  readonly count: number
  readonly bytes: number
}

/** Where the rows of a list of images are put while they are decoded. */
export interface DecodedStore {
  /** the blocks that are there already, and what did not decode in them */
  readonly done: ReadonlyMap<number, readonly Broken[]>
  /** whether `rows` are pages of a file */
  readonly mapped: boolean
  put(block: number, rows: Uint8Array, found: { broken: readonly Broken[]; keep: boolean }): Promise<void>
  /** All rows in the list's order, as stores. */
  rows(): readonly Uint8Array[]
  close(): Promise<void>
}

/** bytes of a block, about, and of a file */
const blockBytes = 2 ** 23
const fileBytes = 2 ** 30
const mostTogether = 1024

/** Images to a block. */
export const blockLength = ({ bytes }: DecodedSize) =>
  Math.max(1, Math.min(mostTogether, Math.floor(blockBytes / bytes)))

/** Where decoded images are kept. */
export const decodedFolder = () => cachePath('decoded')

/** The bytes of each store, whole blocks each, of which the last may be shorter. */
function storeSizes(size: DecodedSize): number[] {
  const length = blockLength(size) * size.bytes
  const most = Math.floor(fileBytes / length) * length
  const all = size.count * size.bytes
  return Array.from({ length: Math.ceil(all / most) }, (_, i) => Math.min(most, all - i * most))
}

/** The store that a block belongs to, and where the block begins there, bytes. */
function placeOf(block: number, size: DecodedSize): { store: number; from: number } {
  const length = blockLength(size) * size.bytes
  const each = Math.floor(fileBytes / length)
  return { store: Math.floor(block / each), from: (block % each) * length }
}

const line = z.object({
  block: z.int().min(0),
  hash: z.string(),
  broken: z.array(z.tuple([z.int().min(0), z.string()])),
})

/** The rows kept under `key`, as many as there are; errors are those of the file system. */
export async function decodedOnDisk(key: string, size: DecodedSize): Promise<DecodedStore> {
  const folder = join(decodedFolder(), key)
  await mkdir(folder, { recursive: true })
  const paths = storeSizes(size).map((_, i) => join(folder, `rows-${i}`))
  const files: FileHandle[] = []
  for (const [i, bytes] of storeSizes(size).entries()) {
    const file = await open(paths[i] as string, existsSync(paths[i] as string) ? 'r+' : 'w+')
    files.push(file)
    await file.truncate(bytes)
  }
  const path = join(folder, 'blocks.jsonl')
  const done = wholeBlocks(path, paths.map(mapFile), size)
  const journal = await open(path, 'a')
  utimesSync(path, new Date(), new Date()) // when it was last of use
  return {
    done,
    mapped: true,
    async put(block, rows, { broken, keep }) {
      const { store, from } = placeOf(block, size)
      const file = files[store] as FileHandle
      for (let at = 0; at < rows.length; ) {
        at += (await file.write(rows, at, rows.length - at, from + at)).bytesWritten
      }
      if (keep) await journal.write(`${JSON.stringify({ block, hash: sha256(rows), broken })}\n`)
    },
    rows: () => paths.map(mapFile),
    async close() {
      for (const file of [...files, journal]) await file.close()
    },
  }
}

/** The blocks of the journal whose rows are what they were. */
function wholeBlocks(
  path: string,
  stores: readonly Uint8Array[],
  size: DecodedSize,
): ReadonlyMap<number, readonly Broken[]> {
  const length = blockLength(size)
  const done = new Map<number, readonly Broken[]>()
  for (const each of readJournal(path)) {
    const { success, data } = line.safeParse(each)
    if (!success || data.block * length >= size.count) continue
    const { store, from } = placeOf(data.block, size)
    const rows = (stores[store] as Uint8Array).subarray(from, from + length * size.bytes)
    if (sha256(rows) === data.hash) done.set(data.block, data.broken)
  }
  return done
}

function readJournal(path: string): readonly unknown[] {
  try {
    return existsSync(path) ? readJsonLines(path) : []
  } catch (error) {
    if (error instanceof UserError) return [] // a damaged journal is no worse than none
    throw error
  }
}

/** Rows in memory, for a cache that cannot be written. */
export function decodedInMemory(size: DecodedSize): DecodedStore {
  const stores = storeSizes(size).map((bytes) => new Uint8Array(bytes))
  return {
    done: new Map(),
    mapped: false,
    async put(block, rows) {
      const { store, from } = placeOf(block, size)
      ;(stores[store] as Uint8Array).set(rows, from)
    },
    rows: () => stores,
    async close() {},
  }
}

/** Forgets what is kept under `key`. */
export async function forgetDecoded(key: string): Promise<void> {
  await rm(join(decodedFolder(), key), { recursive: true, force: true }).catch(() => undefined)
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
