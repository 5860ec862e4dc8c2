import { readFileSync, statSync } from 'node:fs'
import { UserError } from '../errors.ts'

const largest = 512 * 2 ** 20

/** The UTF-8 text of a file; a UserError where it is none, or cannot be read. */
export function readTextFile(path: string): string {
  const refuse = (reason: string): never => {
    throw new UserError('data', `Cannot read "${path}": ${reason}`)
  }
  try {
    // before opening: to open a FIFO is to wait for its writer
    const found = statSync(path)
    if (!found.isFile()) return refuse('it is not a file')
    if (found.size > largest) return refuse(`it has ${found.size} bytes, more than 512 MiB`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (typeof code !== 'string') throw error
    return refuse(code === 'ENOENT' ? 'there is no such file' : code)
  }
}
