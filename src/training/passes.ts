import type { Random } from '../tensor/random.ts'

/** Batches of a list of images that is gone through again and again. */
export interface Passes<T> {
  /** the batch of this number: which images, at which places of the pass's order, and what was drawn for the pass in which it begins */
  at(batch: number): { readonly indices: Int32Array; readonly places: Int32Array; readonly draws: T }
}

/**
 * Full batches without end over a list of images, each pass in an order of its own, and with draws (of augmentation) of
 * its own. A batch is a function of the stream, the list and its number: a resumed run sees the same ones.
 */
export function passes<T>(
  random: Random,
  list: Int32Array,
  { batch: size, draw }: { batch: number; draw: (random: Random) => T },
): Passes<T> {
  const orderOf = lastMade((pass) => random.fork(`order ${pass}`).permutation(list.length))
  const drawsOf = lastMade((pass) => draw(random.fork(`draws ${pass}`)))
  return {
    at(batch) {
      const at = Float64Array.from({ length: size }, (_, i) => batch * size + i)
      const indices = Int32Array.from(at, (i) => {
        return list[orderOf(Math.floor(i / list.length))[i % list.length] as number] as number
      })
      const places = Int32Array.from(at, (i) => i % list.length)
      return { indices, places, draws: drawsOf(Math.floor((batch * size) / list.length)) }
    },
  }
}

/** A function that remembers what it made last, for numbers that come in order: of an epoch, of a pass. */
export function lastMade<T>(make: (number: number) => T): (number: number) => T {
  let last: { readonly number: number; readonly value: T } | undefined
  return (number) => {
    if (last?.number !== number) last = { number, value: make(number) }
    return last.value
  }
}
