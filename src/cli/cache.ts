import { Command } from 'commander'
import {
  type CacheEntry,
  type CacheKind,
  cacheEntries,
  cacheKinds,
  clearCache,
} from '../experiment/store/cache-usage.ts'
import { cacheLimit, cachePath } from '../files.ts'
import { oneOf } from './options.ts'
import { table } from './tables.ts'
import { print, printJson } from './terminal.ts'
import { bytes } from './units.ts'

const kinds = Object.keys(cacheKinds) as CacheKind[]

export const cacheCommand = new Command('cache')
  .option('--clear [kind]', `remove what is not in use: ${kinds.join(', ')}, or all of it`)
  .option('--json', 'print one JSON object on standard output')
  .addHelpText(
    'after',
    '\nThe cache lies in ~/.cache/deconfound, or under XDG_CACHE_HOME. Beyond DECONFOUND_CACHE_SIZE (default: 5GB) what was not\nused for longest is removed.\n\nExample:\n  deconfound cache --clear decoded',
  )
  .action(({ clear, json }: { clear?: string | true; json?: boolean }) => {
    const kind = typeof clear === 'string' ? oneOf('use --clear', kinds)(clear) : undefined
    const removed = clear === undefined ? [] : clearCache(kind)
    const entries = cacheEntries()
    const state = {
      folder: cachePath(''),
      limit: cacheLimit(),
      bytes: sizeOf(entries),
      removedBytes: sizeOf(removed),
      kinds: Object.fromEntries(kinds.map((each) => [each, countOf(entries, each)])),
    }
    if (json) return printJson(state)
    const rows = kinds.map((each) => {
      const { count, bytes: size } = countOf(entries, each)
      return [each, bytes(size), String(count), cacheKinds[each]]
    })
    const cleared = clear === undefined ? '' : `\n${bytes(state.removedBytes)} were removed`
    print(`${state.folder}\n${table(rows)}\n${bytes(state.bytes)} of at most ${bytes(state.limit)}${cleared}`)
  })

const sizeOf = (entries: readonly CacheEntry[]) => entries.reduce((sum, entry) => sum + entry.bytes, 0)

function countOf(entries: readonly CacheEntry[], kind: CacheKind): { count: number; bytes: number } {
  const own = entries.filter((entry) => entry.kind === kind)
  return { count: own.length, bytes: sizeOf(own) }
}
