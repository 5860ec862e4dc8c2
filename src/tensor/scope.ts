import { AsyncLocalStorage } from 'node:async_hooks'

/** What a scope looks after: anything that can be freed once. */
export interface Scoped {
  /** the scope or arena that frees it, or null when only the garbage collector will */
  owner: Scoped[] | Set<Scoped> | null
  free(): void
  /** called when nothing looks after it any more */
  abandon(): void
}

/** A type that is not a promise: tensors would be freed before it settles. */
export type Settled<T> = T extends PromiseLike<unknown> ? never : T

/** What a body returned; a promise is a bug, for what `around` sets up ends before the promise settles. */
export function settled<T>(result: T, around: string): T {
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== 'function') return result
  Promise.resolve(result).catch(() => {}) // the error below is the one to tell
  throw new Error(`${around} cannot wait: its body returned a promise`)
}

const open: Scoped[][] = []
const arenas = new AsyncLocalStorage<Set<Scoped>>()

/** Puts a new value under the innermost open scope. */
export function enter(value: Scoped): void {
  const owner = open[open.length - 1]
  if (owner) {
    value.owner = owner
    owner.push(value)
  } else {
    release(value)
  }
}

/** Leaves a value to the arena, or else to the garbage collector. */
function release(value: Scoped): void {
  const arena = arenas.getStore()
  value.owner = arena ?? null
  if (arena) arena.add(value)
  else value.abandon()
}

/**
 * Runs `body`, which may wait, and frees what it kept, except what it returns: a run's networks and optimizers go when
 * the run is over.
 */
export async function arena<T>(body: () => Promise<T>): Promise<T> {
  const mine = new Set<Scoped>()
  try {
    const result = await arenas.run(mine, body)
    visit(result, (value) => {
      if (mine.delete(value)) release(value)
    })
    return result
  } finally {
    for (const value of mine) value.free()
  }
}

/**
 * Runs `body` and frees every tensor made inside, except those it returns (by themselves or in arrays
 * and plain objects), which pass to the scope around it.
 */
export function scope<T>(body: () => Settled<T>): T {
  const mine: Scoped[] = []
  open.push(mine)
  let result: T
  try {
    result = settled(body(), 'A scope')
  } catch (error) {
    close(mine)
    throw error
  }
  if (result !== undefined) visit(result, (value) => hand(value, mine))
  close(mine)
  return result
}

/** Takes tensors out of every scope: they live until `free` is called, their arena ends, or nobody refers to them. */
export function keep<T>(value: T): T {
  visit(value, (found) => {
    if (Array.isArray(found.owner)) release(found)
  })
  return value
}

function hand(value: Scoped, mine: Scoped[]): void {
  if (value.owner !== mine) return
  const outer = open[open.length - 2]
  value.owner = outer ?? null
  if (outer) outer.push(value)
  else release(value)
}

function close(mine: Scoped[]): void {
  open.pop()
  for (const value of mine) if (value.owner === mine) value.free()
}

function visit(value: unknown, found: (value: Scoped) => void): void {
  if (typeof value !== 'object' || value === null) return
  if ('free' in value && 'abandon' in value) found(value as Scoped)
  else if (Array.isArray(value)) for (const each of value) visit(each, found)
  else if (Object.getPrototypeOf(value) === Object.prototype)
    for (const each of Object.values(value)) visit(each, found)
}
