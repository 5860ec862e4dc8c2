import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cachePath, lockFolder } from '../../files.ts'
import { rememberedAddon } from '../../tensor/build.ts'

// How much the user's cache holds, and how it is kept within its limit. An entry is a file or folder, made and removed as
// one; its time is that of its last use.

/** What lies in the cache, by the folder it lies in. */
export const cacheKinds = {
  decoded: 'images of folders, decoded',
  learned: 'triggers and models that several runs need',
  addon: 'the compiled addon',
} as const
export type CacheKind = keyof typeof cacheKinds

export interface CacheEntry {
  readonly kind: CacheKind
  readonly path: string
  readonly bytes: number
  /** when it was last used, in milliseconds since 1970 */
  readonly used: number
}

/** Milliseconds: what was used so recently may be in use. */
const recent = 10 * 60_000
/** All entries. */
export function cacheEntries(): CacheEntry[] {
  return (Object.keys(cacheKinds) as CacheKind[]).flatMap((kind) => {
    const folder = cachePath(kind)
    return (existsSync(folder) ? readdirSync(folder) : []).flatMap((name) => {
      const path = join(folder, name)
      const { bytes, used } = measure(path)
      return bytes === undefined ? [] : { kind, path, bytes, used }
    })
  })
}

/** Removes what was not used for longest, until the rest is within the limit; what is in use stays. */
export function trimCache(limit: number): CacheEntry[] {
  const own = rememberedAddon() // without it the next run compiles for a minute
  const entries = cacheEntries().sort((a, b) => a.used - b.used)
  const isNeeded = ({ path, used }: CacheEntry) => Date.now() - used < recent || own?.startsWith(`${path}/`)
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0)
  return entries.filter((entry) => {
    if (total <= limit || isNeeded(entry) || !removeEntry(entry)) return false
    total -= entry.bytes
    return true
  })
}

/** Removes all entries of a kind, or of all; gives those that could be, and were not in use. */
export function clearCache(kind?: CacheKind): CacheEntry[] {
  return cacheEntries().filter((entry) => (kind === undefined || entry.kind === kind) && removeEntry(entry))
}

/** False where somebody is at work there, or where it cannot be removed. */
function removeEntry({ kind, path, used }: CacheEntry): boolean {
  if (kind === 'addon' && Date.now() - used < recent) return false // it may be being compiled
  try {
    if (kind === 'learned') lockFolder(path)
    rmSync(path, { recursive: true, force: true })
    return true
  } catch {
    return false
  }
}

/** Bytes of all files, and the latest time of any; undefined for what another process has just removed. */
function measure(path: string): { bytes: number | undefined; used: number } {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found) return { bytes: undefined, used: 0 }
  if (!found.isDirectory()) return { bytes: found.size, used: found.mtimeMs }
  const parts = readdirSync(path).map((name) => measure(join(path, name)))
  const bytes = parts.reduce((sum, part) => sum + (part.bytes ?? 0), 0)
  return { bytes, used: Math.max(found.mtimeMs, ...parts.map(({ used }) => used)) }
}
