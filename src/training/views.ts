import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { noGrad, type Tensor } from '../tensor/tensor.ts'
import type { Augmentation } from './augment.ts'
import { recolor } from './color.ts'
import { cropAlong, drawPart, type Part, resample } from './resample.ts'

/**
 * Parts and colors of every sample of an epoch, seven numbers each: center row and column and half the height and width of
 * the part as shares of the image, and the factors of brightness, contrast and saturation.
 */
export type ViewTable = Float32Array

const drawsPerSample = 7

interface ViewsOf extends Pick<Augmentation, 'part'> {
  readonly views: ViewTable
}

/** The draws of an augmentation's `part` and `color`; undefined where it has neither. */
export function drawViews(
  random: Random,
  { part, color = 0 }: Augmentation,
  { count, size }: { count: number; size: readonly [height: number, width: number] },
): ViewTable | undefined {
  if (part === undefined && color === 0) return undefined
  const between = (low: number, high: number) => low + (high - low) * random.uniform()
  const table = new Float32Array(count * drawsPerSample)
  for (let i = 0; i < count; i++) {
    const [height, width] = part === undefined ? [1, 1] : drawPart(random, [1, ...size], part)
    const center = [between(height / 2, 1 - height / 2), between(width / 2, 1 - width / 2)]
    const factors = [0, 1, 2].map(() => between(1 - color, 1 + color))
    table.set([...center, height / 2, width / 2, ...factors], i * drawsPerSample)
  }
  return table
}

/** The rows of a table of draws for some samples, in the places that `places` gives them among `count`. */
export function placeRows<Table extends Int16Array | Float32Array>(
  table: Table,
  places: Int32Array,
  { count, each }: { count: number; each: number },
): Table {
  const placed = new (table.constructor as new (length: number) => Table)(count * each)
  places.forEach((place, i) => {
    placed.set(table.subarray(i * each, (i + 1) * each), place * each)
  })
  return placed
}

/** As `placeRows`, of views. */
export const placeViews = (table: ViewTable, places: Int32Array, count: number) =>
  placeRows(table, places, { count, each: drawsPerSample })

/**
 * Images in [0, 1], [indices, channels, height, width], in other colors, and where an augmentation has parts, of these, which
 * are enlarged; `indices` says whose draws are theirs.
 */
export function makeViews(images: Tensor, { views: table, part }: ViewsOf, indices: Int32Array): Tensor {
  const [height, width] = images.shape.slice(2) as [number, number]
  const drawn = (sample: number, k: number) => table[sample * drawsPerSample + k] as number
  const parts = (axis: 0 | 1): Part[] =>
    Array.from(indices, (sample) => ({ center: drawn(sample, axis), half: drawn(sample, 2 + axis) }))
  const recolorings = Array.from(indices, (sample) => ({
    brightness: drawn(sample, 4),
    contrast: drawn(sample, 5),
    saturation: drawn(sample, 6),
    hue: 0,
    gray: false,
  }))
  return scope(() =>
    noGrad(() => {
      const enlarged = () =>
        resample(images, cropAlong(parts(0), height, images.device), cropAlong(parts(1), width, images.device))
      return recolor(part === undefined ? images : enlarged(), recolorings).contiguous('channelsLast')
    }),
  )
}
