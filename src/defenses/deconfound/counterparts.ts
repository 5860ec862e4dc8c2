import type { Random } from '../../tensor/random.ts'
import type { Draws } from '../../training/augment.ts'

const drawsPerSample = 5
/** how far a counterpart is moved, in pixels at a side of 32 */
const reach = 4

/** What an image is compared with. */
export type Counterpart = 'mirrored' | 'moved'

/** What an image is shown as, and its counterpart. */
export interface Pairing {
  readonly own: Draws
  readonly counterpart: Draws
}

/**
 * Draws that give every image a counterpart: as natural as itself and showing the same, while a trigger is no longer what
 * it was. It is its mirror image. Or it is moved to one of four sides, by a sixteenth to an eighth of its shorter side, and the
 * gap is filled by its own mirror image; that the gap may not give it away, the image itself is shown with such a gap, in
 * the same place and as wide.
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
  const most = Math.max(1, Math.round((reach * Math.min(...size)) / 32))
  const least = Math.ceil(most / 2)
  for (let i = 0; i < table.length; i += drawsPerSample) {
    const by = (least + random.integer(most - least + 1)) * (random.integer(2) === 0 ? 1 : -1)
    table[i + random.integer(2)] = by
  }
  const moved = { ...plain, margin: 'mirrored' } as const
  return { own: { augmentation: { ...moved, back: true }, table }, counterpart: { augmentation: moved, table } }
}
