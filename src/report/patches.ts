import type { ImageSet } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import type { Compared } from './common.ts'
import { spread } from './look-alikes.ts'
import type { Rectangle } from './place.ts'

// A patch pasted on images of all kinds makes them alike in one small place where other images of the label differ. The
// spread of a pixel is its median absolute deviation, summed over channels: some flagged images without the patch change nothing.

/** a spread is over so many images at most */
const looked = 500
/** of fewer images some pixels are alike by chance */
const fewest = 12
/** alike: the spread among the flagged is at most this share of that among the others */
const alikeShare = 0.25
/** the spread right around a patch is at least this share of that among the others, but for a fifth of the pixels there */
const sharpShare = 0.5
const blurred = 0.2
/** gray levels a channel: where others spread less, all images are alike, flagged or not */
const leastSpread = 4
/** pixels: thinner lines are alike by chance */
const leastSide = 2
/** share of the image: what is alike in more of it is a frame or the ground, not a patch */
const largest = 0.15
/** share of a rectangle's pixels that are alike */
const filled = 0.6
const mostPatches = 4

/** A place that looks the same in most flagged images and not in others. */
export interface SharedPatch extends Rectangle {
  /** medians over the flagged images, a row of bytes, [height, width, channels] */
  readonly picture: Uint8Array
}

/** Patches that flagged images share, the largest first; empty where none stands out. */
export function sharedPatches(
  images: ImageSet,
  { flagged, others }: Pick<Compared, 'flagged' | 'others'>,
): SharedPatch[] {
  if (flagged.length < fewest || others.length < fewest) return []
  const [channels, height, width] = images.shape
  const size = { height, width }
  const own = spreadsOf(images, flagged)
  const usual = spreadsOf(images, others)
  const share = own.spread.map((spread, pixel) => {
    const usually = usual.spread[pixel] as number
    return usually < leastSpread * channels ? 1 : spread / usually
  })
  return connected(share, size)
    .filter((place) => isPatch(place, share, size))
    .sort((a, b) => b.height * b.width - a.height * a.width)
    .slice(0, mostPatches)
    .map((place) => ({ ...rectangle(place), picture: cut(own.median, place, [channels, width]) }))
}

/** A rectangle around pixels that are alike and touch. */
interface Region extends Rectangle {
  readonly pixels: number
}

interface Size {
  readonly height: number
  readonly width: number
}

const rectangle = ({ top, left, height, width }: Rectangle): Rectangle => ({ top, left, height, width })

function isPatch(region: Region, share: Float32Array, { height, width }: Size): boolean {
  const area = region.height * region.width
  if (
    Math.min(region.height, region.width) < leastSide ||
    area > largest * height * width ||
    region.pixels < filled * area
  )
    return false
  const edge = around(region, { height, width }).map((pixel) => share[pixel] as number)
  return edge.filter((spread) => spread < sharpShare).length <= blurred * edge.length
}

/** Pixels that touch a rectangle from outside. */
function around({ top, left, height, width }: Rectangle, size: Size): number[] {
  const pixels: number[] = []
  for (let y = Math.max(0, top - 1); y <= Math.min(size.height - 1, top + height); y++) {
    for (let x = Math.max(0, left - 1); x <= Math.min(size.width - 1, left + width); x++) {
      const inside = y >= top && y < top + height && x >= left && x < left + width
      if (!inside) pixels.push(y * size.width + x)
    }
  }
  return pixels
}

/** Regions of pixels that are alike, sides and corners touching. */
function connected(share: Float32Array, { height, width }: Size): Region[] {
  const left = new Set([...share.keys()].filter((pixel) => (share[pixel] as number) <= alikeShare))
  const regions: Region[] = []
  for (const first of left) {
    left.delete(first)
    const pixels = [first]
    for (const pixel of pixels) {
      const [y, x] = [Math.floor(pixel / width), pixel % width]
      for (const neighbor of around({ top: y, left: x, height: 1, width: 1 }, { height, width })) {
        if (left.delete(neighbor)) pixels.push(neighbor)
      }
    }
    const [ys, xs] = [pixels.map((pixel) => Math.floor(pixel / width)), pixels.map((pixel) => pixel % width)]
    const [y, x] = [least(ys), least(xs)]
    regions.push({ top: y, left: x, height: most(ys) - y + 1, width: most(xs) - x + 1, pixels: pixels.length })
  }
  return regions
}

const least = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b))
const most = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b))

/** Medians of each byte of a row over images, and median absolute deviations summed over the channels of each pixel. */
function spreadsOf({ rows, shape: [channels] }: ImageSet, list: readonly number[]) {
  const seen = spread(list, looked).map(rowReader(rows))
  const medians = new Uint8Array(rows.bytes)
  const sums = new Float32Array(rows.bytes / channels)
  const counts = new Uint16Array(256)
  for (let i = 0; i < rows.bytes; i++) {
    counts.fill(0)
    for (const row of seen) counts[row[i] as number] = (counts[row[i] as number] as number) + 1
    const { center, deviation } = middle(counts, seen.length / 2)
    medians[i] = center
    const pixel = Math.floor(i / channels)
    sums[pixel] = (sums[pixel] as number) + deviation
  }
  return { median: medians, spread: sums }
}

/** The median of gray levels that are counted, and the least distance from it that half of them keep. */
function middle(counts: Uint16Array, half: number): { center: number; deviation: number } {
  let center = 0
  for (let below = counts[0] as number; below < half; below += counts[center] as number) center++
  let deviation = 0
  for (let near = counts[center] as number; near < half; deviation++) {
    near += (counts[center - deviation - 1] ?? 0) + (counts[center + deviation + 1] ?? 0)
  }
  return { center, deviation }
}

function cut(
  row: Uint8Array,
  { top, left, height, width }: Rectangle,
  [channels, rowWidth]: [number, number],
): Uint8Array {
  const lines = Array.from({ length: height }, (_, y) => {
    const from = ((top + y) * rowWidth + left) * channels
    return row.subarray(from, from + width * channels)
  })
  return Uint8Array.from(lines.flatMap((line) => [...line]))
}
