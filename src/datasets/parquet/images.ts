import { UserError } from '../../errors.ts'
import type { ParquetFile } from './file.ts'

/** so many row groups are kept unpacked: images are decoded in order, a few at a time */
const keptGroups = 3

/** Reads the image in a row of a column; a UserError whose message is the reason where there is none. */
export function imageReader(file: ParquetFile, column: string): (row: number) => Promise<Uint8Array> {
  const kept = new Map<number, Promise<readonly unknown[]>>()

  function groupOf(group: number): Promise<readonly unknown[]> {
    const found = kept.get(group) ?? file.column(column, group)
    // the one used last goes last, the one unused for longest is dropped
    kept.delete(group)
    kept.set(group, found)
    const [oldest] = kept.keys()
    if (kept.size > keptGroups) kept.delete(oldest as number)
    return found
  }

  return async (row) => {
    let start = 0
    let group = 0
    while (row >= start + (file.groups[group] as number)) start += file.groups[group++] as number
    const value = (await groupOf(group))[row - start]
    const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes
    if (bytes instanceof Uint8Array) return bytes
    throw new UserError('data', 'its row holds no bytes of an image')
  }
}
