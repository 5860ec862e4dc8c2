import type { Random } from '../tensor/random.ts'
import type { Draws } from './augment.ts'

const drawsPerSample = 5
/** how far a counterpart is moved in each direction at most, in pixels at 32 */
const reach = 4

/**
 * Draws for counterparts of images: as natural as the originals and showing the same, while a trigger is no longer what
 * it was. Mirrored, where images may be; else moved by up to an eighth of the side, at least by a sixteenth in one
 * direction, and continued by their own mirror image.
 */
export function drawCounterparts(
  random: Random,
  count: number,
  { size, mirror }: { size: readonly [number, number]; mirror: boolean },
): Draws {
  const table = new Int16Array(count * drawsPerSample)
  const augmentation = { padding: 0, flip: mirror, cutout: 0, margin: 'mirrored' } as const
  for (let i = 0; i < table.length; i += drawsPerSample) {
    if (mirror) table[i + 2] = 1
    else table.set(drawMove(random, Math.max(1, Math.round(reach * (Math.min(...size) / 32)))), i)
  }
  return { augmentation, table }
}

/** Rows and columns to move by, one of them by half of the most at least. */
function drawMove(random: Random, most: number): [number, number] {
  for (;;) {
    const move: [number, number] = [random.integer(2 * most + 1) - most, random.integer(2 * most + 1) - most]
    if (Math.max(Math.abs(move[0]), Math.abs(move[1])) >= most / 2) return move
  }
}
