import { closeSync, constants, fstatSync, lstatSync, open, read, realpathSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
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
/** Said of what is not there when it is looked at. */
export const gone = 'it is a link to nothing, or gone'

const largestFile = 128 * 2 ** 20

/** `path` inside `root`, as bytes. */
export function treePath(root: Buffer, path: string): Buffer {
  return path === '' ? root : Buffer.concat([root, Buffer.from('/'), nameBytes(path)])
}

/** How a tree is read. */
export interface TreeOptions {
  /** the folder below the root to read, by showName; '' for the root itself */
  readonly path?: string
  /** hears the names in a folder before they are looked at */
  readonly onEntries?: (names: readonly string[]) => void
}

/**
 * Everything below `root` (a real path), or below a folder in it, but what is hidden. Only files and folders are entered,
 * and links to files that lie below `root` too; anything else but hidden files is told to `problems`. Throws where the
 * root itself cannot be read; a UserError where the folder in it is none.
 */
export async function readTree(root: Buffer, problems: Problem[], options: TreeOptions = {}): Promise<TreeFolder> {
  const { path = '', onEntries = () => {} } = options
  const parts = path === '' ? [] : path.split('/')
  for (const at of parts.map((_, i) => parts.slice(0, i + 1).join('/'))) {
    const found = lookAt(root, at)
    if (found === 'folder') continue
    const reason = 'stamp' in found ? 'it is a file' : (found.reason ?? 'it is hidden')
    throw new UserError('data', `Cannot read the folder "${at}" in "${showName(root)}": ${reason}`)
  }
  return readFolder({ root, problems, onEntries }, path, parts.at(-1) ?? '')
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
  for (const entry of names) {
    const at = path === '' ? entry : `${path}/${entry}`
    const found = lookAt(tree.root, at)
    if (found === 'folder') {
      try {
        folders.push(await readFolder(tree, at, entry))
      } catch (error) {
        if (error instanceof UserError) throw error
        tree.problems.push({ file: at, reason: `the folder cannot be read (${errorCode(error)})` })
        folders.push({ name: entry, path: at, folders: [], files: [] })
      }
    } else if ('stamp' in found) files.push(found)
    else if (found.reason !== null) tree.problems.push({ file: at, reason: found.reason })
  }
  return { name, path, folders, files }
}

/** Why something is left out; null for hidden files, of which nobody is told. */
export interface Unusable {
  readonly reason: string | null
}

/**
 * What lies at `path` below `root`: a file to open, a folder to enter, or nothing to use. Asked without waiting: a local
 * disk answers in microseconds, and a promise for each of many files costs ten times as much.
 */
export function lookAt(root: Buffer, path: string): TreeFile | 'folder' | Unusable {
  const at = treePath(root, path)
  const hidden = path.startsWith('.', path.lastIndexOf('/') + 1)
  const refuse = (reason: string): Unusable => ({ reason: hidden ? null : reason })
  try {
    const found = lstatSync(at, { bigint: true })
    if (hidden) return { reason: found.isDirectory() ? 'it is hidden' : null }
    if (found.isDirectory()) return 'folder'
    if (found.isFile()) return { path, stamp: stampOf(found) }
    if (!found.isSymbolicLink()) return refuse('it is a device, a pipe or a socket, not a file')
    const target = realpathSync.native(at, { encoding: 'buffer' })
    const inside = target.subarray(0, root.length + 1).equals(Buffer.concat([root, Buffer.from('/')]))
    if (!inside) return refuse(linkOut)
    const linked = lstatSync(target, { bigint: true })
    return linked.isFile() ? { path, target, stamp: `link ${stampOf(linked)}` } : refuse(linkToFolder)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ELOOP') return refuse('it is a link in a loop of links')
    return refuse(code === 'ENOENT' ? gone : `it cannot be looked at (${code})`)
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
