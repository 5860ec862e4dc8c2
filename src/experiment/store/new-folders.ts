import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { UserError } from '../../errors.ts'

/**
 * Makes folders that appear whole or not at all, in the order of `paths` (absolute): `fill` gets a hidden folder beside
 * each. Where one of them is there already and holds something, that is a UserError.
 */
export async function newFolders<Result>(
  paths: readonly string[],
  fill: (folders: readonly string[]) => Promise<Result>,
): Promise<Result> {
  for (const path of paths) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false)
      throw new UserError('usage', `Cannot write to '${path}': it is there and no folder; name a new one`)
    if (existsSync(path) && isMount(path))
      throw new UserError(
        'usage',
        `Cannot write to '${path}': it is a mount point, which cannot be replaced; name a folder in it`,
      )
  }
  refuseFull(paths)
  const suffix = `${process.pid}-${randomBytes(8).toString('hex')}.tmp`
  const hidden = paths.map((path) => join(dirname(path), `.${basename(path)}.${suffix}`))
  const moved: string[] = []
  try {
    for (const folder of hidden) mkdirSync(folder, { recursive: true })
    const result = await fill(hidden)
    refuseFull(paths) // it may have taken hours
    for (const [i, path] of paths.entries()) {
      renameSync(hidden[i] as string, path)
      moved.push(path)
    }
    return result
  } catch (error) {
    for (const folder of [...hidden, ...moved]) rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

function refuseFull(paths: readonly string[]): void {
  const full = paths.find((path) => existsSync(path) && readdirSync(path).length > 0)
  if (full) throw new UserError('usage', `Cannot write to '${full}': it is not empty; name a new folder`)
}

const isMount = (path: string) => statSync(path).dev !== statSync(dirname(path)).dev
