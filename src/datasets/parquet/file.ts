// A Parquet file, read by hyparquet: the footer first, then single columns of single row groups.

import { lstatSync, realpathSync } from 'node:fs'
import type { FileMetaData } from 'hyparquet'
import { UserError } from '../../errors.ts'
import { readSlice } from '../slice.ts'

/** A file whose footer is read. */
export interface ParquetFile {
  readonly path: string
  /** size and times, nanoseconds: changes when the content does */
  readonly stamp: string
  readonly metadata: FileMetaData
  /** rows of each row group */
  readonly groups: readonly number[]
  /** the values of a column in one row group */
  column(name: string, group: number): Promise<readonly unknown[]>
}

/** A row group is unpacked as a whole: larger ones are refused. */
const largestGroup = 2 ** 30

/**
 * Bytes whose errors, and those of what is first made of them, may remain unseen. hyparquet asks ahead, and after an error
 * awaits no more: a second error is not to end the process.
 */
function unwatched(bytes: Promise<ArrayBuffer>): Promise<ArrayBuffer> {
  const ignore = () => undefined
  bytes.catch(ignore)
  return Object.assign(bytes, {
    // biome-ignore lint/suspicious/noThenProperty: this is a promise
    then<A, B>(made: (value: ArrayBuffer) => A, failed?: (reason: unknown) => B) {
      const next = Promise.prototype.then.call(bytes, made as never, failed)
      next.catch(ignore)
      return next
    },
  }) as Promise<ArrayBuffer>
}

/** Opens a file; a UserError where it is no Parquet file, or a damaged one. */
export async function openParquet(path: string): Promise<ParquetFile> {
  const { parquetMetadataAsync, parquetReadObjects } = await import('hyparquet')
  const { compressors } = await import('hyparquet-compressors')
  const found = lstatSync(realpathSync(path), { bigint: true })
  const length = Number(found.size)
  const refuse = (reason: string): never => {
    throw new UserError(
      'data',
      `Cannot read "${path}" as a Parquet file: ${reason}. Make it again, or download it again`,
    )
  }
  async function bytesOf(from: number, to: number): Promise<ArrayBuffer> {
    const inside = [from, to].every(Number.isSafeInteger) && 0 <= from && from <= to && to <= length
    if (!inside) return refuse(`it speaks of bytes ${from} to ${to} of ${length}`)
    const bytes = await readSlice({ path, at: from, length: to - from })
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
  }
  const file = {
    byteLength: length,
    slice(from: number, to = length): Promise<ArrayBuffer> {
      return unwatched(bytesOf(from, to))
    },
  }

  /** What hyparquet makes of the bytes; whatever it says of them is the file's fault. */
  async function read<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      return await action()
    } catch (error) {
      if (error instanceof UserError) throw error
      return refuse((error as Error).message.replace(/^parquet /i, '') || 'it is damaged')
    }
  }

  const metadata = await read(() => parquetMetadataAsync(file))
  const groups = metadata.row_groups.map(({ num_rows: rows, columns }, group) => {
    const bytes = columns.reduce((sum, { meta_data: column }) => sum + Number(column?.total_uncompressed_size ?? 0), 0)
    const packed = columns.reduce((sum, { meta_data: column }) => sum + Number(column?.total_compressed_size ?? 0), 0)
    if (bytes > largestGroup) refuse(`its row group ${group} has ${bytes} bytes, more than 1 GiB: write smaller ones`)
    if (rows < 0n || bytes < 0 || packed < 0 || packed > length || rows > BigInt(largestGroup))
      refuse(`its row group ${group} has impossible sizes`)
    return Number(rows)
  })
  const starts = groups.map((_, group) => groups.slice(0, group).reduce((sum, rows) => sum + rows, 0))

  return {
    path,
    stamp: `${found.size} ${found.mtimeNs} ${found.ctimeNs}`,
    metadata,
    groups,
    async column(name, group) {
      const rowStart = starts[group] as number
      const rowEnd = rowStart + (groups[group] as number)
      const options = { file, metadata, columns: [name], rowStart, rowEnd, compressors, utf8: false, geoparquet: false }
      const rows = await read(() => parquetReadObjects(options))
      if (rows.length !== rowEnd - rowStart)
        refuse(`its row group ${group} has ${rows.length} of ${rowEnd - rowStart} rows`)
      return rows.map((row) => row[name])
    },
  }
}
