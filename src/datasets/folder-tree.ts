import { closeSync, constants, fstatSync, open, read } from 'node:fs'
import { lstat, readdir, realpath } from 'node:fs/promises'
import { promisify } from 'node:util'
import { UserError } from '../errors.ts'
import type { Problem } from './dataset.ts'
import { nameBytes, showName } from './file-names.ts'

/** A file that may be opened. */
export interface TreeFile {
  /** relative to the tree's root, by showName */
  readonly path: string
  /** where a link inside the tree leads; absolute */
  readonly target?: Buffer
  /**
   * Size and times of modification and of change, nanoseconds. Whoever swaps a file can set the first time back, but
   * the second is the system's own.
   */
  readonly stamp: string
}

/** A folder's contents, sorted by the bytes of their names. */
export interface TreeFolder {
  readonly name: string
  readonly path: string
  readonly folders: readonly TreeFolder[]
  readonly files: readonly TreeFile[]
}

/** Reasons for which links are left out. */
export const linkOut = 'it is a link out of the folder'
export const linkToFolder = 'it is a link to something that is not a file'

/** how many files are asked for their size at a time */
const together = 64
const largestFile = 128 * 2 ** 20

/** `path` inside `root`, as bytes. */
export function treePath(root: Buffer, path: string): Buffer {
  return path === '' ? root : Buffer.concat([root, Buffer.from('/'), nameBytes(path)])
}

/**
 * Everything below `root` (a real path) but what is hidden. Only files and folders are entered, and links to files that
 * lie below `root` too; anything else but hidden files is told to `problems`. `onEntries` hears the names in a folder
 * before they are looked at. Throws where the root itself cannot be read.
 */
export async function readTree(
  root: Buffer,
  problems: Problem[],
  onEntries: (names: readonly string[]) => void = () => {},
): Promise<TreeFolder> {
  return readFolder({ root, problems, onEntries }, '', '')
}

/** The files in a folder and in those therein. */
export function* filesBelow({ files, folders }: TreeFolder): Iterable<TreeFile> {
  yield* files
  for (const folder of folders) yield* filesBelow(folder)
}

interface Tree {
  readonly root: Buffer
  readonly problems: Problem[]
  readonly onEntries: (names: readonly string[]) => void
}

async function readFolder(tree: Tree, path: string, name: string): Promise<TreeFolder> {
  const entries = await readdir(treePath(tree.root, path), { encoding: 'buffer' })
  const names = entries.sort(Buffer.compare).map(showName)
  tree.onEntries(names)
  const folders: TreeFolder[] = []
  const files: TreeFile[] = []
  for (let from = 0; from < names.length; from += together) {
    const some = names.slice(from, from + together)
    const found = await Promise.all(some.map((entry) => examine(tree, path === '' ? entry : `${path}/${entry}`)))
    for (const [i, result] of found.entries()) {
      if (typeof result === 'object') files.push(result)
      else if (result === 'folder') {
        const inner = path === '' ? (some[i] as string) : `${path}/${some[i]}`
        try {
          folders.push(await readFolder(tree, inner, some[i] as string))
        } catch (error) {
          if (error instanceof UserError) throw error
          tree.problems.push({ file: inner, reason: `the folder cannot be read (${errorCode(error)})` })
          folders.push({ name: some[i] as string, path: inner, folders: [], files: [] })
        }
      }
    }
  }
  return { name, path, folders, files }
}

/** What lies at `path`: a file to open, a folder to enter, or nothing to use, which is told but for hidden files. */
async function examine({ root, problems }: Tree, path: string): Promise<TreeFile | 'folder' | 'nothing'> {
  const at = treePath(root, path)
  const hidden = path.startsWith('.', path.lastIndexOf('/') + 1)
  const refuse = (reason: string) => {
    if (!hidden) problems.push({ file: path, reason })
    return 'nothing' as const
  }
  try {
    const found = await lstat(at, { bigint: true })
    if (hidden) {
      if (found.isDirectory()) problems.push({ file: path, reason: 'it is hidden' })
      return 'nothing'
    }
    if (found.isDirectory()) return 'folder'
    if (found.isFile()) return { path, stamp: stampOf(found) }
    if (!found.isSymbolicLink()) return refuse('it is a device, a pipe or a socket, not a file')
    const target = await realpath(at, { encoding: 'buffer' })
    const inside = target.subarray(0, root.length + 1).equals(Buffer.concat([root, Buffer.from('/')]))
    if (!inside) return refuse(linkOut)
    const linked = await lstat(target, { bigint: true })
    return linked.isFile() ? { path, target, stamp: `link ${stampOf(linked)}` } : refuse(linkToFolder)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ELOOP') return refuse('it is a link in a loop of links')
    return refuse(code === 'ENOENT' ? 'it is a link to nothing, or gone' : `it cannot be looked at (${code})`)
  }
}

function stampOf(found: { readonly size: bigint; readonly mtimeNs: bigint; readonly ctimeNs: bigint }): string {
  return `${found.size} ${found.mtimeNs} ${found.ctimeNs}`
}

const openFile = promisify(open)
const readFile = promisify(read)

/** A file's bytes; a UserError whose message is the reason where they cannot be had. */
export async function readTreeFile(root: Buffer, { path, target }: TreeFile): Promise<Uint8Array> {
  let handle: number | undefined
  try {
    // what was a file when the tree was read may have become a link or a pipe: follow no link, wait for no writer
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    // plain descriptors, since a FileHandle for each of many small files costs more than to read them
    handle = await openFile(target ?? treePath(root, path), flags)
    const found = fstatSync(handle)
    if (!found.isFile()) throw new UserError('data', 'it is not a file')
    if (found.size > largestFile) throw new UserError('data', `it has ${found.size} bytes, more than 128 MiB`)
    const bytes = Buffer.allocUnsafeSlow(found.size)
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await readFile(handle, bytes, length, bytes.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return bytes.subarray(0, length)
  } catch (error) {
    if (error instanceof UserError) throw error
    const code = errorCode(error)
    // our own shortage is no fault of the file
    if (['EMFILE', 'ENFILE', 'ENOMEM'].includes(code)) throw error
    throw new UserError('data', `it cannot be read (${code})`)
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}

/** What the system says is wrong; any other error is a bug and goes on. */
function errorCode(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (typeof code !== 'string') throw error
  return code
}
