// Decoded images are kept, because decoding takes seconds to minutes and reading them back takes little. One file per
// folder content, size, fit and rules:
//
//   deconfound decoded 1 <SHA-256 of the header> <bytes of the header>\n
//   <header, JSON: names, classes, problems, counts, each set's hash>
//   <labels and pixels of train, then of test>
//
// The first hash covers the header, the image sets' own hashes cover labels and pixels: a damaged file is noticed,
// removed, and made again.
import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { cacheLimit } from '../files.ts'
import { type ImageSet, imageBytes, imageSet } from '../training/images.ts'
import type { Dataset } from './dataset.ts'

/** What is kept of a data set: not what is known of its folder alone. */
export type Decoded = Omit<Dataset, 'notes'>

const ending = '.images'
/** the system takes at most 2 GiB in one call */
const chunk = 2 ** 30

/** Where decoded images are kept. */
export function decodedFolder(): string {
  const given = process.env.XDG_CACHE_HOME ?? ''
  return join(isAbsolute(given) ? given : join(homedir(), '.cache'), 'deconfound', 'decoded')
}

const setHeader = z.object({
  shape: z.tuple([z.literal(3), z.int().min(1).max(512), z.int().min(1).max(512)]),
  classes: z.array(z.string()),
  names: z.array(z.string()),
  hash: z.string(),
})
type SetHeader = z.output<typeof setHeader>
const header = z.object({
  train: setHeader,
  test: setHeader.nullable(),
  problems: z.array(z.object({ file: z.string(), reason: z.string() })),
})

/** The data set kept under `key`; undefined where there is none, or a damaged one, which is removed. */
export async function readDecoded(key: string): Promise<Decoded | undefined> {
  const path = join(decodedFolder(), key + ending)
  // a cache that cannot be opened is as good as none
  const handle = await open(path).catch(() => undefined)
  if (handle === undefined) return undefined
  try {
    const dataset = await parse(handle)
    // its time says when it was last of use; where that cannot be written, it is merely removed sooner
    if (dataset !== undefined) await utimes(path, new Date(), new Date()).catch(() => undefined)
    else await rm(path, { force: true })
    return dataset
  } finally {
    await handle.close()
  }
}

async function parse(handle: FileHandle): Promise<Decoded | undefined> {
  const { size } = await handle.stat()
  const line = (await readBytes(handle, 0, Math.min(size, 120))).toString('latin1').split('\n', 1)[0] as string
  const [, checksum, digits] = /^deconfound decoded 1 ([0-9a-f]{64}) ([0-9]{1,12})$/.exec(line) ?? []
  const length = Number(digits)
  let at = line.length + 1
  // NaN, for a line of another kind, fails this too
  if (!(at + length <= size)) return undefined
  const text = await readBytes(handle, at, length)
  at += length
  if (sha256(text) !== checksum) return undefined
  const described = header.safeParse(JSON.parse(text.toString('utf8')))
  if (!described.success) return undefined
  const { train, test, problems } = described.data
  const sizes = [train, test].map((set) => (set === null ? 0 : set.names.length * (4 + imageBytes(set.shape))))
  if (at + (sizes[0] as number) + (sizes[1] as number) !== size) return undefined
  const sets = [await readSet(handle, at, train), test && (await readSet(handle, at + (sizes[0] as number), test))]
  const [first, second] = sets
  if (!first || first.hash !== train.hash || (second && second.hash !== test?.hash)) return undefined
  return { train: first, test: second ?? null, problems }
}

async function readSet(handle: FileHandle, at: number, { shape, classes, names }: SetHeader): Promise<ImageSet> {
  const labels = new Int32Array(names.length)
  await fill(handle, at, new Uint8Array(labels.buffer))
  const pixels = new Uint8Array(names.length * imageBytes(shape))
  await fill(handle, at + labels.byteLength, pixels)
  return imageSet({ pixels, labels, names, shape, classes })
}

async function readBytes(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  await fill(handle, at, buffer)
  return buffer
}

/** Reads until `target` is full; a file that has meanwhile become shorter leaves zeros, which no hash accepts. */
async function fill(handle: FileHandle, at: number, target: Uint8Array): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await handle.read(target, done, Math.min(chunk, target.length - done), at + done)
    if (bytesRead === 0) return
    done += bytesRead
  }
}

/**
 * Keeps a data set under `key`, whole or not at all, then removes what was not used for longest until all that is kept
 * has at most `most` bytes. A full or read-only disk costs a warning, since a cache is only a matter of time.
 */
export async function keepDecoded(key: string, dataset: Decoded, most = cacheLimit()): Promise<void> {
  const folder = decodedFolder()
  const temporary = join(folder, `${key}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await mkdir(folder, { recursive: true })
    const parts = serialize(dataset)
    if (parts.reduce((sum, { length }) => sum + length, 0) > most) return
    const handle = await open(temporary, 'wx')
    try {
      for (const part of parts) await writeAll(handle, part)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, join(folder, key + ending))
    await prune(folder, { keep: key + ending, most })
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    process.emitWarning(`Decoded images are not kept in "${folder}": ${(error as Error).message}`)
  }
}

function serialize({ train, test, problems }: Decoded): readonly Uint8Array[] {
  const describe = ({ shape, classes, names, hash }: ImageSet) => ({ shape, classes, names, hash })
  const text = Buffer.from(JSON.stringify({ train: describe(train), test: test && describe(test), problems }))
  const sets = test === null ? [train] : [train, test]
  return [
    Buffer.from(`deconfound decoded 1 ${sha256(text)} ${text.length}\n`),
    text,
    ...sets.flatMap(({ labels, pixels }) => [
      new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength),
      pixels,
    ]),
  ]
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, Math.min(chunk, bytes.length - done))).bytesWritten
  }
}

async function prune(folder: string, { keep, most }: { keep: string; most: number }): Promise<void> {
  const dayAgo = Date.now() - 86_400_000
  const kept: { path: string; size: number; used: number }[] = []
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    // another process may remove it first
    const found = await stat(path).catch(() => undefined)
    if (found === undefined) continue
    // what a process that was killed left behind
    if (name.endsWith('.tmp') && found.mtimeMs < dayAgo) await rm(path, { force: true })
    if (name.endsWith(ending)) kept.push({ path, size: found.size, used: name === keep ? Infinity : found.mtimeMs })
  }
  kept.sort((a, b) => b.used - a.used)
  let total = 0
  for (const { path, size } of kept) {
    total += size
    if (total > most) await rm(path, { force: true })
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
