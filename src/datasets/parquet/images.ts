import { UserError } from '../../errors.ts'
import type { ParquetFile } from './file.ts'

/** so many row groups are kept unpacked, of all files together: images are decoded in order, a few at a time */
const keptGroups = 3

/** A column of images in a file. */
export interface ImageColumn {
  readonly file: ParquetFile
  readonly column: string
}

/** Reads the image in a row; a UserError whose message is the reason where there is none. */
export type ImageReader = (from: ImageColumn, row: number) => Promise<Uint8Array>

/** A reader for all files of a data set. */
export function createImageReader(): ImageReader {
  const kept = new Map<string, Promise<readonly unknown[]>>()

  function valuesOf({ file, column }: ImageColumn, group: number): Promise<readonly unknown[]> {
    const key = `${group} ${file.path}`
    const found = kept.get(key) ?? file.column(column, group)
    // the one used last goes last, the one unused for longest is dropped
    kept.delete(key)
    kept.set(key, found)
    const [oldest = ''] = kept.keys()
    if (kept.size > keptGroups) kept.delete(oldest)
    return found
  }

  return async (from, row) => {
    const { groups } = from.file
    let start = 0
    let group = 0
    while (row >= start + (groups[group] as number)) start += groups[group++] as number
    const value = (await valuesOf(from, group))[row - start]
    const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes
    if (bytes instanceof Uint8Array) return bytes
    throw new UserError('data', 'its row holds no bytes of an image')
  }
}
