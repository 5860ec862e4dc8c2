import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../errors.ts'
import { lookAt } from '../folder-tree.ts'
import { entriesOf, isFile, isFolder } from '../place.ts'

const archive = /\.(tar|tgz|tar\.[a-z0-9]+)$/i
const mostShards = 100_000

/**
 * The archives that `data` means: a file; all in a folder that holds archives and no folders; or a list in braces, as in
 * `shards-{000..012}.tar`. Undefined where it means none.
 */
export function shardsAt(data: string): readonly string[] | undefined {
  if (isFile(data)) return archive.test(data) ? [data] : undefined
  if (isFolder(data)) return shardsIn(data)
  return archive.test(data) && /\{\d+\.\.\d+\}/.test(data) ? expand(data) : undefined
}

function shardsIn(folder: string): readonly string[] | undefined {
  const entries = entriesOf(folder)
  if (entries.some((entry) => entry.isDirectory() && !entry.name.startsWith('.'))) return undefined
  const root = realpathSync.native(folder, { encoding: 'buffer' })
  const names = entries.map(({ name }) => name).filter((name) => archive.test(name) && !name.startsWith('.'))
  const shards = names.sort().filter((name) => {
    const found = lookAt(root, name)
    return typeof found === 'object' && 'stamp' in found
  })
  return shards.length === 0 ? undefined : shards.map((name) => join(folder, name))
}

/** The paths that a list in braces stands for; as many digits as its first number is written with. */
function expand(pattern: string): readonly string[] {
  const lists = Array.from(pattern.matchAll(/\{(\d+)\.\.(\d+)\}/g), ([, from, to]) => Number(to) - Number(from) + 1)
  const count = lists.reduce((product, length) => product * length, 1)
  if (lists.some((length) => length < 1) || count > mostShards)
    throw new UserError('usage', `Cannot load images from "${pattern}": its braces stand for ${count} archives`)
  const [whole, first = '', last = ''] = /\{(\d+)\.\.(\d+)\}/.exec(pattern) ?? []
  if (whole === undefined) return [pattern]
  const [from, to] = [Number(first), Number(last)]
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i).padStart(first.length, '0')).flatMap(
    (number) => expand(pattern.replace(whole, number)),
  )
}

/** The shards, all of which must be there. */
export function presentShards(data: string): readonly string[] {
  const shards = shardsAt(data)
  if (shards === undefined) {
    const facts = existsSync(data) ? 'it is no tar archive, nor a folder of some' : 'it does not exist'
    throw new UserError(
      'data',
      `Cannot load images from "${data}": ${facts}. Give shards.tar, or shards-{000..012}.tar`,
    )
  }
  const missing = shards.filter((path) => !isFile(path))
  if (missing.length > 0) {
    const facts = `${missing.length} of ${shards.length} archives are not there; the first is "${missing[0]}"`
    throw new UserError('data', `Cannot load images from "${data}": ${facts}. Correct the numbers in the braces`)
  }
  return shards
}
