import { type Dirent, readdirSync, type Stats, statSync } from 'node:fs'

/** Whether a path, its links followed, leads to a file; false too where nobody can tell. */
export const isFile = (path: string) => look(path)?.isFile() ?? false

/** Whether a path, its links followed, leads to a folder; false too where nobody can tell. */
export const isFolder = (path: string) => look(path)?.isDirectory() ?? false

/** What lies in a folder; nothing where nobody can tell. */
export function entriesOf(path: string): readonly Dirent[] {
  return orUndefined(() => readdirSync(path, { withFileTypes: true })) ?? []
}

function look(path: string): Stats | undefined {
  return orUndefined(() => statSync(path))
}

/** undefined for what the system refuses. */
function orUndefined<Result>(ask: () => Result): Result | undefined {
  try {
    return ask()
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error
    return undefined
  }
}
