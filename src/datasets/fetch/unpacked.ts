// Where an archive's files are written. Whatever an archive says, files are made anew below one folder that was empty, in
// folders made here, and all of them together have no more bytes than the release has.
import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../../errors.ts'
import type { Archive, Release } from '../release.ts'
import { safePath } from './safe-path.ts'

/** A place for the files of one release. */
export interface Unpacked {
  /** Makes a folder that an archive names. */
  folder(archive: Archive, name: string): Promise<void>
  /** Writes a file of this many bytes; a UserError where the chunks have another number, or there are too many files. */
  file(archive: Archive, name: string, content: { size: number; chunks: AsyncIterable<Uint8Array> }): Promise<void>
}

/** A place in the empty folder `root`; errors are UserErrors whose message is the reason. */
export function unpackedIn(root: string, { folder, mostBytes, mostFiles }: Release): Unpacked {
  let [files, bytes] = [0, 0]
  const pathOf = ({ into }: Archive, name: string) => join(root, safePath(name, { into, folder }))
  const refuse = (reason: string) => new UserError('data', reason)
  const count = () => {
    if (++files > mostFiles) throw refuse(`it holds more than ${mostFiles} files and folders`)
  }
  return {
    async folder(archive, name) {
      count()
      // of an archive that is taken into a folder, or lies in one, that folder itself is nothing new
      await mkdir(pathOf(archive, name), { recursive: true })
    },
    async file(archive, name, { size, chunks }) {
      count()
      bytes += size
      if (bytes > mostBytes) throw refuse(`its files have more than ${mostBytes} bytes`)
      const path = pathOf(archive, name)
      await mkdir(dirname(path), { recursive: true })
      const handle = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') throw refuse(`it holds ${JSON.stringify(name)} twice`)
        throw error
      })
      try {
        let written = 0
        for await (const chunk of chunks) {
          written += chunk.length
          if (written > size) break
          await handle.writeFile(chunk)
        }
        if (written !== size) throw refuse(`"${name}" has not the ${size} bytes that the archive states`)
      } finally {
        await handle.close()
      }
    },
  }
}
