import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../errors.ts'
import { lookAt } from '../folder-tree.ts'
import { entriesOf, isFile, isFolder } from '../place.ts'

const named = (name: string) => /\.parquet$/i.test(name) && !name.startsWith('.')

/** The files that `data` means: itself, all in a folder, or all in its folder `data`, as hubs lay them out. */
export function filesAt(data: string): readonly string[] {
  if (isFile(data)) return named(data.slice(data.lastIndexOf('/') + 1)) ? [data] : []
  const own = filesIn(data)
  return own.length > 0 ? own : filesIn(join(data, 'data'))
}

function filesIn(folder: string): readonly string[] {
  if (!isFolder(folder)) return []
  const root = realpathSync.native(folder, { encoding: 'buffer' })
  const usable = (name: string) => {
    const found = lookAt(root, name)
    return typeof found === 'object' && 'stamp' in found
  }
  const names = entriesOf(folder)
    .map(({ name }) => name)
    .filter(named)
  return names
    .filter(usable)
    .sort()
    .map((name) => join(folder, name))
}

/** The same, of which there must be some. */
export function presentFiles(data: string): readonly string[] {
  const files = filesAt(data)
  if (files.length > 0) return files
  const facts = existsSync(data) ? 'it is no .parquet file, nor a folder of some' : 'it does not exist'
  throw new UserError(
    'data',
    `Cannot load images from "${data}": ${facts}. Give set.parquet, or the folder of its parts`,
  )
}
