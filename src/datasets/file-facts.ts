// What image files are besides their pictures: for who looks for labels that follow from such, and for copies.
import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { UserError } from '../errors.ts'
import type { LoadContext } from './dataset.ts'
import { formatOf } from './decode-image.ts'
import { filesBelow, readTree, readTreeFile, type TreeFile } from './folder-tree.ts'
import { isImage } from './image-names.ts'
import { readPpm } from './ppm.ts'
import { refuseTooHigh } from './several-sets.ts'

/** how many files are looked at a time: as many as Node has threads for it */
const together = 4

/** What a file of a data set is besides its picture. */
export interface FileFacts {
  /** the image's name in its set, and in problems */
  readonly name: string
  readonly bytes: number
  /** SHA-256 of the content */
  readonly hash: string
  /** by the content, such as 'jpeg'; null where the content is no image that is known */
  readonly format: string | null
  /** whether the file ends before its format does */
  readonly truncated: boolean
  /** pixels of the upright picture; null where the head of the file does not say */
  readonly size: { readonly width: number; readonly height: number } | null
  /** what else a label should not follow from, by name, as `exif: 'there'` */
  readonly metadata: Readonly<Record<string, string>>
}

export interface FactsOptions {
  /** whether facts about this file are wanted, by its name */
  readonly wanted: (name: string) => boolean
  readonly progress: LoadContext['progress']
}

/** Facts about files below a folder that are images by their names, in their order; none of a file that cannot be read. */
export async function factsOfTree(folder: string, { wanted, progress }: FactsOptions): Promise<readonly FileFacts[]> {
  const root = await realpath(Buffer.from(folder), { encoding: 'buffer' })
  const tree = await readTree(root, [], { onEntries: refuseTooHigh(folder, root) })
  const files = [...filesBelow(tree)].filter((file) => isImage(file) && wanted(file.path))
  const found: (FileFacts | undefined)[] = new Array(files.length)
  let next = 0
  let done = 0
  const work = async () => {
    for (let i = next++; i < files.length; i = next++) {
      found[i] = await factsOfFile(root, files[i] as TreeFile)
      if (++done % 100 === 0) progress(done, files.length)
    }
  }
  await Promise.all(Array.from({ length: together }, work))
  progress(files.length, files.length)
  return found.filter((facts) => facts !== undefined)
}

async function factsOfFile(root: Buffer, file: TreeFile): Promise<FileFacts | undefined> {
  try {
    return await factsOf(file.path, await readTreeFile(root, file))
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}

/** The facts about a file of this name and content. */
export async function factsOf(name: string, content: Uint8Array): Promise<FileFacts> {
  const format = formatOf(content)
  const hash = createHash('sha256').update(content).digest('hex')
  const own = { name, bytes: content.length, hash, format, truncated: isTruncated(content, format) }
  const { size, metadata } = await headOf(content, format)
  return { ...own, size, metadata }
}

type Head = Pick<FileFacts, 'size' | 'metadata'>
const unknown: Head = { size: null, metadata: {} }

async function headOf(content: Uint8Array, format: string | null): Promise<Head> {
  try {
    if (format === 'ppm') {
      const { width, height } = readPpm(content)
      return { size: { width, height }, metadata: {} }
    }
    if (!isRead(format)) return unknown
    const { default: sharp } = await import('sharp')
    const head = await sharp(content).metadata()
    const { width, height } = head.autoOrient
    const there = (part: unknown) => (part === undefined ? 'absent' : 'there')
    return {
      size: { width, height },
      metadata: {
        exif: there(head.exif),
        'color profile': there(head.icc),
        xmp: there(head.xmp),
        iptc: there(head.iptc),
        'color space': head.space,
        depth: head.depth,
        transparency: head.hasAlpha ? 'there' : 'absent',
        orientation: String(head.orientation ?? 'not said'),
        density: String(head.density ?? 'not said'),
        'chroma subsampling': head.chromaSubsampling ?? 'not said',
        progressive: String(head.isProgressive ?? false),
      },
    }
  } catch {
    return unknown // what is wrong with the file is told by whoever decodes it
  }
}

/** Formats whose heads are read; the readers of others, such as SVG, are never run. */
const isRead = (format: string | null) =>
  format !== null && ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'].includes(format)

/** What a whole file of the format ends with; zeros may follow. */
const ends: Readonly<Record<string, readonly number[]>> = {
  jpeg: [0xff, 0xd9],
  png: [0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82],
  gif: [0x3b],
}

/** Whether the end of the format is missing; false where that cannot be told. */
function isTruncated(content: Uint8Array, format: string | null): boolean {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  if (format === 'webp') return bytes.length < 8 || bytes.length < 8 + bytes.readUInt32LE(4)
  const end = ends[format ?? '']
  if (end === undefined) return false
  let length = bytes.length
  while (length > 0 && bytes[length - 1] === 0) length--
  return !bytes.subarray(0, length).includes(Buffer.from(end), Math.max(0, length - trailing))
}

/** bytes that a program may have put behind the end */
const trailing = 64
