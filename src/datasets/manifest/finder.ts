import { posix } from 'node:path'
import { showName } from '../file-names.ts'
import { gone, lookAt, type TreeFile } from '../folder-tree.ts'

/**
 * Finds files by paths that a list gives: the file, or why there is none to use. Paths are relative to `root` (a real
 * path), or absolute and within; no link leads out, neither of a file nor of a folder above one.
 */
export function createFinder(root: Buffer): (path: string) => TreeFile | string {
  const folders = new Map<string, string | null>()

  /** Why a folder, or one above it, cannot be entered; null where it can. */
  function barred(folder: string): string | null {
    if (folder === '.') return null
    const known = folders.get(folder)
    if (known !== undefined) return known
    const found = lookAt(root, folder)
    const own =
      found === 'folder'
        ? null
        : 'stamp' in found
          ? 'its folder is a file'
          : `its folder: ${found.reason === gone ? 'there is none' : found.reason}`
    const reason = barred(posix.dirname(folder)) ?? own
    folders.set(folder, reason)
    return reason
  }

  return (given) => {
    const start = `${showName(root)}/`
    const path = posix.normalize(given.startsWith(start) ? given.slice(start.length) : given)
    if (path.startsWith('/') || path === '..' || path.startsWith('../')) return 'it leads out of the folder of the list'
    const reason = barred(posix.dirname(path))
    if (reason !== null) return reason
    const found = lookAt(root, path)
    if (found === 'folder') return 'it is a folder'
    if ('stamp' in found) return found
    return found.reason === gone ? 'there is no such file' : (found.reason ?? 'it is hidden')
  }
}
