/** What a scope looks after: anything that can be freed once. */
export interface Scoped {
  /** the scope that frees it, or null when it outlives them all */
  owner: Scoped[] | null
  free(): void
  /** called when no scope looks after it any more: only the garbage collector will */
  abandon(): void
}

/** A type that is not a promise: tensors would be freed before it settles. */
export type Settled<T> = T extends PromiseLike<unknown> ? never : T

const open: Scoped[][] = []

/** Puts a new value under the innermost open scope. */
export function enter(value: Scoped): void {
  const owner = open[open.length - 1]
  if (owner) {
    value.owner = owner
    owner.push(value)
  } else {
    value.abandon()
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
    result = body()
  } catch (error) {
    close(mine)
    throw error
  }
  if (result instanceof Promise) {
    close(mine)
    throw new Error('A scope cannot wait: its body returned a promise')
  }
  if (result !== undefined) visit(result, (value) => hand(value, mine))
  close(mine)
  return result
}

/** Takes tensors out of every scope: they live until `free` is called or nobody refers to them. */
export function keep<T>(value: T): T {
  visit(value, (found) => {
    if (found.owner) {
      found.owner = null
      found.abandon()
    }
  })
  return value
}

function hand(value: Scoped, mine: Scoped[]): void {
  if (value.owner !== mine) return
  const outer = open[open.length - 2]
  value.owner = outer ?? null
  if (outer) outer.push(value)
  else value.abandon()
}

function close(mine: Scoped[]): void {
  open.pop()
  for (const value of mine) if (value.owner === mine) value.free()
}

function visit(value: unknown, found: (value: Scoped) => void): void {
  if (typeof value !== 'object' || value === null) return
  if ('free' in value && 'abandon' in value) found(value as Scoped)
  else if (Array.isArray(value)) for (const each of value) visit(each, found)
  else if (Object.getPrototypeOf(value) === Object.prototype) for (const each of Object.values(value)) visit(each, found)
}
