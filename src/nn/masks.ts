import type { Random } from '../tensor/random.ts'
import type { Drawing } from './module.ts'

/** A stream of its own for each training pass of a network that draws masks. */
export interface Masks extends Drawing {
  nextPass(): Random
}

/** Counts the passes, so that a training goes on with the masks that it would have had. */
export function masksFrom(random: Random): Masks {
  let passes = 0
  return {
    nextPass: () => random.fork(`pass ${passes++}`),
    plain: () => passes,
    restore(plain) {
      passes = plain as number
    },
  }
}
