import { type Stats, statSync } from 'node:fs'

/** Whether a path, its links followed, leads to a file; false too where nobody can tell. */
export const isFile = (path: string) => look(path)?.isFile() ?? false

/** Whether a path, its links followed, leads to a folder; false too where nobody can tell. */
export const isFolder = (path: string) => look(path)?.isDirectory() ?? false

function look(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error
    return undefined
  }
}
