import { closeSync, fstatSync, open, read } from 'node:fs'
import { promisify } from 'node:util'
import { UserError } from '../errors.ts'

const openFile = promisify(open)
const readFile = promisify(read)

/** Bytes of a file that lie together. */
export interface Slice {
  readonly path: string
  /** of the first byte */
  readonly at: number
  readonly length: number
}

/** The bytes of a slice; a UserError whose message is the reason where they are not there any more. */
export async function readSlice({ path, at, length }: Slice): Promise<Uint8Array> {
  let handle: number | undefined
  try {
    handle = await openFile(path, 'r')
    if (fstatSync(handle).size < at + length) throw new UserError('data', `"${path}" has become shorter`)
    const bytes = Buffer.allocUnsafeSlow(length)
    for (let done = 0; done < length; ) {
      const { bytesRead } = await readFile(handle, bytes, done, length - done, at + done)
      if (bytesRead === 0) throw new UserError('data', `"${path}" has become shorter`)
      done += bytesRead
    }
    return bytes
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // our own shortage is no fault of the file
    if (typeof code !== 'string' || ['EMFILE', 'ENFILE', 'ENOMEM'].includes(code)) throw error
    throw new UserError('data', `"${path}" cannot be read (${code})`)
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}
