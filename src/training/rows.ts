// Where the pixels of images lie: rows of bytes in stores, of which each is an array or a file mapped into memory. Sets of
// images share stores. To pick images, or to replace some, moves numbers and no pixels of the others.

/** Images of one size as rows, uint8 [height, width, channels] each. */
export interface Rows {
  /** rows one after another; a store has fewer than 2^32 bytes, as Node wants it */
  readonly stores: readonly Uint8Array[]
  /** bytes of a row */
  readonly bytes: number
  /** whether pages of stores are read from a file when they are looked at */
  readonly mapped: boolean
  /** the row of each image, counted through the stores */
  readonly at: Int32Array
}

/** All rows of an array, in their order. */
export function rowsOf(store: Uint8Array, bytes: number): Rows {
  return { stores: [store], bytes, mapped: false, at: Int32Array.from({ length: store.length / bytes }, (_, i) => i) }
}

/** The rows at `indices`, in that order. */
export function pickRows(rows: Rows, indices: ArrayLike<number>): Rows {
  return { ...rows, at: Int32Array.from(indices, (i) => rows.at[i] as number) }
}

/** The same rows, but those at `indices` are `changed`, one after another. */
export function replaceRows(rows: Rows, indices: Int32Array, changed: Uint8Array): Rows {
  if (indices.length === 0) return rows
  const first = rows.stores.reduce((sum, store) => sum + store.length, 0) / rows.bytes
  const at = rows.at.slice()
  for (const [k, i] of indices.entries()) at[i] = first + k
  return { ...rows, stores: [...rows.stores, changed], at }
}

/** A function from an image's place to its store and where the row begins there, bytes. */
export function finder({ stores, bytes, at }: Rows): (image: number) => { store: Uint8Array; from: number } {
  const starts = [0]
  for (const store of stores) starts.push((starts.at(-1) as number) + store.length / bytes)
  return (image) => {
    const row = at[image] as number
    let s = 0
    while (row >= (starts[s + 1] as number)) s++
    return { store: stores[s] as Uint8Array, from: (row - (starts[s] as number)) * bytes }
  }
}

/** A function from an image's place to its row: a view, not a copy. */
export function rowReader(rows: Rows): (image: number) => Uint8Array {
  const find = finder(rows)
  return (image) => {
    const { store, from } = find(image)
    return store.subarray(from, from + rows.bytes)
  }
}
