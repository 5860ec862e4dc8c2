import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { UserError } from '../../errors.ts'
import { showName } from '../file-names.ts'
import type { Archive } from '../release.ts'
import { blockBytes, readHeader, readPax } from '../tar-header.ts'
import type { Unpacked } from './unpacked.ts'

/** Longer names and extended headers are refused. */
const longestText = 2 ** 16

/** Writes the files and folders of a compressed tar archive; a UserError whose message is the reason where it is none, or holds anything else. */
export async function unpackTar(path: string, archive: Archive, to: Unpacked): Promise<void> {
  const packed = createReadStream(path)
  const plain = createGunzip()
  packed.on('error', (error) => plain.destroy(error))
  const source = byteSource(packed.pipe(plain))
  /** what was said of the next entry */
  let next: { path?: Buffer; size?: number } = {}
  try {
    for (;;) {
      const header = readHeader(await source.take(blockBytes))
      if (header === null) return
      if (typeof header === 'string') throw new UserError('data', header)
      const { type } = header
      const size = next.size ?? header.size
      const name = showName(next.path ?? header.name)
      const padding = (blockBytes - (size % blockBytes)) % blockBytes
      if (about.includes(type)) {
        if (size > longestText) throw new UserError('data', `a name or an extended header has ${size} bytes`)
        next = { ...next, ...saidIn(await source.take(size), type) }
      } else {
        if (type === '0') await to.file(archive, name, { size, chunks: source.chunks(size) })
        else if (type === '5') await to.folder(archive, name)
        else throw new UserError('data', `it holds ${JSON.stringify(name)}, which is a link or a device`)
        next = {}
      }
      // a folder's size is a limit, and no content follows (POSIX.1-2001)
      if (type !== '5') await source.take(padding)
    }
  } catch (error) {
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_'))
      throw new UserError('data', 'it is damaged or cut short')
    throw error
  } finally {
    packed.destroy()
    plain.destroy()
  }
}

/** Types of entries that say something of the next one, or of all (g). */
const about: readonly string[] = ['x', 'g', 'L', 'K']

function saidIn(content: Buffer, type: string): { path?: Buffer; size?: number } {
  if (type === 'L') {
    const end = content.indexOf(0)
    return { path: content.subarray(0, end < 0 ? content.length : end) }
  }
  if (type !== 'x') return {}
  const said = readPax(content)
  if (typeof said === 'string') throw new UserError('data', said)
  return said
}

interface ByteSource {
  /** exactly so many bytes */
  take(count: number): Promise<Buffer>
  /** the same piece by piece */
  chunks(count: number): AsyncGenerator<Buffer>
}

function byteSource(stream: AsyncIterable<Buffer>): ByteSource {
  const iterator = stream[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  async function* chunks(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      if (rest.length === 0) {
        const { value, done } = await iterator.next()
        if (done) throw new UserError('data', 'it ends too early')
        rest = value
      }
      const piece = rest.subarray(0, left)
      rest = rest.subarray(piece.length)
      left -= piece.length
      yield piece
    }
  }
  return {
    chunks,
    async take(count) {
      const pieces: Buffer[] = []
      for await (const piece of chunks(count)) pieces.push(piece)
      return Buffer.concat(pieces)
    },
  }
}
