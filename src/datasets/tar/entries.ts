import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { UserError } from '../../errors.ts'
import { showName } from '../file-names.ts'
import { blockBytes, readHeader, readPax, type TarHeader } from '../tar-header.ts'

/** A file, or something else, in an archive. */
export interface TarEntry {
  /** by showName */
  readonly name: string
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  /** where its content lies in the archive */
  readonly at: number
  readonly size: number
}

/** An archive whose headers can be read. */
export interface TarFile {
  /** size and times, nanoseconds: changes when the content does */
  readonly stamp: string
  /** its entries, in order, without reading what they hold */
  entries(): AsyncGenerator<TarEntry>
  /** the bytes of a small entry */
  content(entry: TarEntry): Buffer
  close(): void
}

/** Longer names and extended headers are refused. */
const longestText = 2 ** 20
/** read at a time: many small files lie in it, and little is read in vain of a large one */
const windowBytes = 16_384
/** after so many entries other work of the process gets its turn */
const often = 2000

const kinds: Readonly<Record<string, TarEntry['kind']>> = { 0: 'file', 7: 'file', 5: 'folder', 1: 'link', 2: 'link' }

/** First bytes of compressed files, and what decompresses them. */
const packers: readonly (readonly [start: string, name: string, command: string])[] = [
  ['\x1f\x8b', 'gzip', 'gunzip'],
  ['\x28\xb5\x2f\xfd', 'zstd', 'unzstd'],
  ['\xfd7zXZ', 'xz', 'unxz'],
  ['BZh', 'bzip2', 'bunzip2'],
]

/** Opens an archive; a UserError where it is none, or is compressed. Every place it speaks of is checked to be in it. */
export function openTar(path: string): TarFile {
  const handle = openSync(path, 'r')
  const found = fstatSync(handle, { bigint: true })
  const length = Number(found.size)
  const window = { at: 0, bytes: Buffer.alloc(0) }
  const refuse = (reason: string, at?: number): never => {
    const where = at === undefined ? '' : ` (byte ${at} of ${length})`
    throw new UserError(
      'data',
      `Cannot read "${path}" as a tar archive: ${reason}${where}. Make it again, or download it again`,
    )
  }

  /** The bytes from `at`, which must be in the archive. */
  function bytes(at: number, count: number): Buffer {
    if (count > length - at) return refuse(`it ends where ${count} more bytes should follow`, at)
    if (at < window.at || at + count > window.at + window.bytes.length) {
      const buffer = Buffer.alloc(Math.min(Math.max(count, windowBytes), length - at))
      let done = 0
      while (done < buffer.length) {
        const read = readSync(handle, buffer, done, buffer.length - done, at + done)
        if (read === 0) return refuse('it has become shorter while it was read', at)
        done += read
      }
      Object.assign(window, { at, bytes: buffer })
    }
    return window.bytes.subarray(at - window.at, at - window.at + count)
  }

  async function* entries(): AsyncGenerator<TarEntry> {
    refuseCompressed(bytes(0, Math.min(length, 8)), path)
    if (length === 0) refuse('it is empty')
    /** what was said of the next entry */
    let next: { path?: Buffer; size?: number } = {}
    for (let at = 0, count = 1; at < length; count++) {
      const header = readHeader(bytes(at, blockBytes))
      if (header === null) return
      if (typeof header === 'string') return refuse(header, at)
      const { name, type } = header
      const own = { at: at + blockBytes, size: next.size ?? header.size }
      if (own.size > length - own.at) refuse(`it ends where ${own.size} bytes of "${showName(name)}" should follow`, at)
      at = own.at + Math.ceil(own.size / blockBytes) * blockBytes
      if (about.includes(type)) next = { ...next, ...saidIn({ ...own, type }) }
      else {
        yield { name: showName(next.path ?? name), kind: kinds[type] ?? 'other', ...own }
        next = {}
      }
      if (count % often === 0) await setImmediate()
    }
    refuse('it has no end: blocks of zeros should follow', length)
  }

  function saidIn({ at, size, type }: { at: number; size: number; type: TarHeader['type'] }) {
    if (size > longestText) return refuse(`a name or an extended header has ${size} bytes`, at)
    const content = bytes(at, size)
    // a window is read anew: what is kept of it is copied
    if (type === 'L')
      return { path: Buffer.from(content.subarray(0, content.indexOf(0) < 0 ? size : content.indexOf(0))) }
    if (type !== 'x') return {}
    const said = readPax(Buffer.from(content))
    return typeof said === 'string' ? refuse(said, at) : said
  }

  return {
    stamp: `${found.size} ${found.mtimeNs} ${found.ctimeNs}`,
    entries,
    content: ({ at, size }) => bytes(at, size),
    close: () => closeSync(handle),
  }
}

/** Types of entries that say something of the next one, or of all (g); only names and sizes of the next are of use. */
const about: readonly string[] = ['x', 'g', 'L', 'K']

function refuseCompressed(start: Buffer, path: string): void {
  const packer = packers.find(([head]) => start.toString('latin1').startsWith(head))
  if (packer === undefined) return
  const facts = `it is compressed by ${packer[1]}, and images are read from its middle`
  throw new UserError('data', `Cannot read "${path}": ${facts}. Decompress it (${packer[2]}) and give the .tar`)
}
