import type { Random } from '../../tensor/random.ts'
import type { Draws } from '../../training/augment.ts'

const drawsPerSample = 5
/** the longest move of a moved copy, in pixels of an image whose shorter side is 32 */
const longestMove = 4

/** Which counterpart x′ an image x is compared with: its mirror image, or a copy moved to one side. */
export type Counterpart = 'mirrored' | 'moved'

/** How images x and their counterparts x′ are drawn. */
export interface Pairing {
  /** draws of x */
  readonly own: Draws
  /** draws of x′ */
  readonly counterpart: Draws
}

/**
 * Mirrored: x′ is the mirror image of x, and x is shown as it is.
 * Moved: x′ is x moved up, down, left or right by 2 to 4 pixels at 32×32 (1/16 to 1/8 of the shorter side), at random.
 * The strip that the move uncovers is filled by reflection; x is shown with the same strip, so that it tells nothing.
 *
 * x′ shows the same as x and looks as natural, but most triggers change.
 */
export function drawPairing(
  random: Random,
  count: number,
  { size, counterpart }: { size: readonly [number, number]; counterpart: Counterpart },
): Pairing {
  const table = new Int16Array(count * drawsPerSample)
  const mirrored = counterpart === 'mirrored'
  const plain = { padding: 0, flip: mirrored, cutout: 0 }
  if (mirrored) {
    for (let i = 0; i < table.length; i += drawsPerSample) table[i + 2] = 1
    return {
      own: { augmentation: plain, table: new Int16Array(table.length) },
      counterpart: { augmentation: plain, table },
    }
  }
  const longest = Math.max(1, Math.round((longestMove * Math.min(...size)) / 32))
  const shortest = Math.ceil(longest / 2)
  for (let i = 0; i < table.length; i += drawsPerSample) {
    const by = (shortest + random.integer(longest - shortest + 1)) * (random.integer(2) === 0 ? 1 : -1)
    table[i + random.integer(2)] = by
  }
  const moved = { ...plain, margin: 'mirrored' } as const
  return { own: { augmentation: { ...moved, back: true }, table }, counterpart: { augmentation: moved, table } }
}
