// A picture as 128 bits: whether brightness rises from each of 8×8 boxes to the next, along the row and down the column
// (N. Krawetz, "Kind of Like That", 2013, has the rows alone). Scaling, saving again and light change few of the bits.
// Photographs with little in them (a sky) share many, so that a pair must also correlate.
import { type ImageSet, pixelsOf } from '../../training/images.ts'
import { boxMeans, brightness } from './thumbnail.ts'

/** Boxes along a side. */
const side = 8
/** 32-bit words of a hash. */
export const hashWords = (2 * side * side) / 32
/** Boxes along a side of what is correlated. */
const gridSide = 16
/** A picture whose boxes differ less, in levels of 255 (standard deviation), has nothing to tell it by. */
const leastContrast = 4

export interface Print {
  readonly hash: Uint32Array
  /** [16 × 16], means of boxes of zero mean and length 1 */
  readonly grid: Float32Array
}

/** What a picture is compared by; null for one that is nearly of one color. */
export function printOf(set: ImageSet, i: number): Print | null {
  const [, height, width] = set.shape
  const picture = brightness(pixelsOf(set, [i]), set.shape)
  const grid = boxMeans(picture, { height, width }, { height: gridSide, width: gridSide })
  if (normalize(grid) < leastContrast) return null
  const hash = new Uint32Array(hashWords)
  const rows = boxMeans(picture, { height, width }, { height: side, width: side + 1 })
  const columns = boxMeans(picture, { height, width }, { height: side + 1, width: side })
  let bit = 0
  const set1 = (rises: boolean) => {
    if (rises) hash[bit >> 5] = ((hash[bit >> 5] as number) | (1 << (bit & 31))) >>> 0
    bit++
  }
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [along, down] = [y * (side + 1) + x, y * side + x]
      set1((rows[along] as number) < (rows[along + 1] as number))
      set1((columns[down] as number) < (columns[down + side] as number))
    }
  }
  return { hash, grid }
}

/** Brings values to zero mean and length 1; gives their standard deviation. */
function normalize(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const length = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0))
  values.forEach((value, k) => {
    values[k] = (value - mean) / (length || 1)
  })
  return length / Math.sqrt(values.length)
}

/** Pearson's correlation of two grids. */
export function correlation(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += (a[k] as number) * (b[k] as number)
  return sum
}
