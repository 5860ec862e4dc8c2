import type { ImageSet } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import { spread } from './look-alikes.ts'
import type { SharedPatch } from './patches.ts'

/** an image carries a patch whose distance to it is at most this share of the usual distance */
const nearShare = 0.25
/** the usual distance is a median over so many images at most */
const looked = 500

/** How many images look like a patch at its place. */
export interface Carriers {
  readonly flagged: number
  readonly unflagged: number
}

/** Counts the images that carry a patch. A distance is the mean absolute difference of pixels, and usual is that of `others`. */
export function carriers(
  images: ImageSet,
  patch: SharedPatch,
  { others, isFlagged }: { others: readonly number[]; isFlagged: (image: number) => boolean },
): Carriers {
  const distance = distanceTo(images, patch)
  const usual = spread(others, looked)
    .map(distance)
    .sort((a, b) => a - b)
  const limit = nearShare * (usual[Math.floor(usual.length / 2)] ?? 0)
  const found = [...images.labels.keys()].filter((i) => distance(i) <= limit)
  const flagged = found.filter(isFlagged).length
  return { flagged, unflagged: found.length - flagged }
}

function distanceTo({ rows, shape }: ImageSet, { top, left, height, width, picture }: SharedPatch) {
  const [channels, , imageWidth] = shape
  const read = rowReader(rows)
  const line = width * channels
  return (image: number): number => {
    const row = read(image)
    let sum = 0
    for (let y = 0; y < height; y++) {
      const from = ((top + y) * imageWidth + left) * channels
      for (let i = 0; i < line; i++) sum += Math.abs((row[from + i] as number) - (picture[y * line + i] as number))
    }
    return sum / picture.length
  }
}
