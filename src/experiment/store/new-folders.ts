import { randomBytes } from 'node:crypto'
import { accessSync, constants, existsSync, lstatSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { UserError } from '../../errors.ts'
import { makeFolder } from '../../files.ts'

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
  for (const path of paths) requireWritable(dirname(path), 'name another')
  const suffix = `${process.pid}-${randomBytes(8).toString('hex')}.tmp`
  const hidden = paths.map((path) => join(dirname(path), `.${basename(path)}.${suffix}`))
  const moved: string[] = []
  const clear = () => {
    for (const folder of [...hidden, ...moved]) rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', clear) // a signal may cut the filling off
  try {
    for (const folder of hidden) makeFolder(folder)
    const result = await fill(hidden)
    refuseFull(paths) // it may have taken hours
    for (const [i, path] of paths.entries()) {
      renameSync(hidden[i] as string, path)
      moved.push(path)
    }
    return result
  } catch (error) {
    clear()
    throw error
  } finally {
    process.off('exit', clear)
  }
}

/** A UserError where nothing can be made in `folder`, which need not be there yet; `remedy` ends it. */
export function requireWritable(folder: string, remedy: string): void {
  let nearest = resolve(folder)
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest)
  const refused = (facts: string) => new UserError('usage', `Cannot make anything in '${folder}': ${facts}; ${remedy}`)
  if (!statSync(nearest).isDirectory()) throw refused(`'${nearest}' is no folder`)
  try {
    accessSync(nearest, constants.W_OK | constants.X_OK)
  } catch (error) {
    const readOnly = (error as NodeJS.ErrnoException).code === 'EROFS'
    throw refused(`${readOnly ? 'the file system is read-only' : `writing in '${nearest}' is not allowed`}`)
  }
}

function refuseFull(paths: readonly string[]): void {
  const full = paths.find((path) => existsSync(path) && readdirSync(path).length > 0)
  if (full) throw new UserError('usage', `Cannot write to '${full}': it is not empty; name a new folder`)
}

const isMount = (path: string) => statSync(path).dev !== statSync(dirname(path)).dev
