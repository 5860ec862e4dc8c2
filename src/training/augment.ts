import type { Random } from '../tensor/random.ts'
import { drawViews, placeRows, placeViews, type ViewTable } from './views.ts'

/** What training does to an image before the model sees it. */
export interface Augmentation {
  /** random crop: zero padding on each side in pixels, every offset equally likely */
  readonly padding: number
  /** mirror half of the images */
  readonly flip: boolean
  /** side of a black square at a random place, in pixels, cut at the borders; 0 for none */
  readonly cutout: number
  /** what a moved image shows beyond its border: black, or itself mirrored */
  readonly margin?: 'black' | 'mirrored'
  /** the least share of the image that a random part of it has, which is enlarged; no part where absent */
  readonly part?: number
  /** brightness, contrast and saturation change by factors of 1 ± this */
  readonly color?: number
  /** moved back after it was moved, so that only the mirrored margin, now on the other side, is new */
  readonly back?: boolean
}

export const noAugmentation: Augmentation = { padding: 0, flip: false, cutout: 0 }

/** One epoch's draws for every sample, so that a batch, a resumed run and a sharded one see the same images. */
export interface Draws {
  readonly augmentation: Augmentation
  /** per sample: row offset, column offset, mirrored, cutout row, cutout column */
  readonly table: Int16Array
  /** where the augmentation has parts or colors */
  readonly views?: ViewTable | undefined
  /** which sample's draws each image of a batch gets, where a sample comes more than once; its own where absent */
  readonly of?: Int32Array
}

const drawsPerSample = 5

/** The draws of one epoch: a function of the stream (seed and epoch) and the sample's number alone. */
export function drawAugmentation(
  random: Random,
  augmentation: Augmentation,
  count: number,
  size: readonly [number, number],
): Draws {
  const { padding, flip, cutout } = augmentation
  const table = new Int16Array(count * drawsPerSample)
  for (let i = 0; i < table.length; i += drawsPerSample) {
    table[i] = padding > 0 ? random.integer(2 * padding + 1) - padding : 0
    table[i + 1] = padding > 0 ? random.integer(2 * padding + 1) - padding : 0
    table[i + 2] = flip ? random.integer(2) : 0
    table[i + 3] = cutout > 0 ? random.integer(size[0]) : 0
    table[i + 4] = cutout > 0 ? random.integer(size[1]) : 0
  }
  return { augmentation, table, views: drawViews(random.fork('views'), augmentation, { count, size }) }
}

/** The draws of some samples, in the places that `places` gives them among `count`. */
export function placeDraws({ augmentation, table, views, of }: Draws, places: Int32Array, count: number): Draws {
  return {
    augmentation,
    table: placeRows(table, places, { count, each: drawsPerSample }),
    views: views && placeViews(views, places, count),
    ...(of && { of: of.map((sample) => places[sample] as number) }),
  }
}

/**
 * Where each output row or column of a batch comes from, [batch, length], with 1 where it lies inside the image, and 1
 * where it lies inside the cutout.
 */
export interface Axis {
  readonly from: Int32Array
  readonly inside: Float32Array
  readonly cut: Float32Array
}

/** The row axis (`offset` 0) or the column axis (`offset` 1, which is the one that mirrors) of a batch. */
export function axis({ augmentation, table, of }: Draws, indices: Int32Array, length: number, offset: 0 | 1): Axis {
  const from = new Int32Array(indices.length * length)
  const inside = new Float32Array(from.length)
  const cut = new Float32Array(from.length)
  const { cutout, margin = 'black', back = false } = augmentation
  const samples = of ?? indices
  samples.forEach((sample, b) => {
    const draw = sample * drawsPerSample
    const shift = table[draw + offset] as number
    const mirrored = offset === 1 && table[draw + 2] === 1
    const start = (table[draw + 3 + offset] as number) - (cutout >> 1)
    for (let i = 0; i < length; i++) {
      const at = (mirrored ? length - 1 - i : i) + shift
      const k = b * length + i
      const within = at >= 0 && at < length
      const mirror = at < 0 ? -1 - at : 2 * length - 1 - at
      const source = within ? at : Math.min(Math.max(margin === 'mirrored' ? mirror : at, 0), length - 1)
      from[k] = back ? source - shift : source
      inside[k] = within || margin === 'mirrored' ? 1 : 0
      cut[k] = i >= start && i < start + cutout ? 1 : 0
    }
  })
  return { from, inside, cut }
}
