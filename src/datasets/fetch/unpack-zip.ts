import type { Readable } from 'node:stream'
import { UserError } from '../../errors.ts'
import type { Archive } from '../release.ts'
import type { Unpacked } from './unpacked.ts'

/** Bits of a Unix file's mode that say what it is, and their value for plain files and folders. */
const typeBits = 0o170000
const plainTypes = [0, 0o100000, 0o040000]

/** Writes the files and folders of a zip archive; a UserError whose message is the reason where it is none, or holds anything else. */
export async function unpackZip(path: string, archive: Archive, to: Unpacked): Promise<void> {
  const { openPromise } = await import('yauzl') // late, because most commands need none
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false, decodeStrings: true }).catch(asReason)
  try {
    const entries = zip.eachEntry()
    for (;;) {
      const { value: entry, done } = await entries.next().catch(asReason)
      if (done) return
      const name = entry.fileName
      const refuse = (reason: string) => new UserError('data', `it holds ${JSON.stringify(name)}, ${reason}`)
      if (!plainTypes.includes((entry.externalFileAttributes >>> 16) & typeBits))
        throw refuse('which is a link or a device')
      if (entry.isEncrypted()) throw refuse('which is encrypted')
      if (name.endsWith('/')) {
        await to.folder(archive, name)
        continue
      }
      const stream = await zip.openReadStreamPromise(entry).catch(asReason)
      stream.on('error', () => {}) // it may come before anybody reads, or after: who reads is told
      await to.file(archive, name, { size: entry.uncompressedSize, chunks: readable(stream) })
    }
  } finally {
    zip.close()
  }
}

/** The chunks of a stream of yauzl's, whose errors speak of the archive. */
async function* readable(stream: Readable): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) yield chunk as Uint8Array
  } catch (error) {
    asReason(error as Error)
  }
}

function asReason(error: Error): never {
  if (error instanceof UserError) throw error
  throw new UserError('data', error.message)
}
