import { boxMeans, brightness } from '../experiment/check/thumbnail.ts'
import { type ImageSet, pixelsOf } from '../training/images.ts'

/** side of the small versions that are compared */
const side = 8
/** of one label, so many unflagged images are compared at most */
const compared = 2000

/** A suspect, and the unflagged image of its label that looks most like it: places of images. */
export interface Pair {
  readonly suspect: number
  readonly other: number
}

/**
 * For each suspect the nearest unflagged image of the same label, by the squared distance of 8×8 mean brightness less its
 * mean. No image serves twice; a suspect whose label has no other image is left out.
 */
export function lookAlikes(images: ImageSet, suspects: ArrayLike<number>, flagged: (image: number) => boolean): Pair[] {
  const candidates = new Map<number, readonly { readonly image: number; readonly small: Float32Array }[]>()
  const small = thumbnails(images)
  const taken = new Set<number>()
  return Array.from(suspects).flatMap((suspect) => {
    const label = images.labels[suspect] as number
    if (!candidates.has(label)) {
      const places = spread(unflaggedOf(images, label, flagged), compared)
      candidates.set(
        label,
        places.map((image) => ({ image, small: small(image) })),
      )
    }
    const own = small(suspect)
    let nearest: number | undefined
    let least = Infinity
    for (const candidate of candidates.get(label) ?? []) {
      const d = taken.has(candidate.image) ? Infinity : distance(own, candidate.small)
      if (d < least) [nearest, least] = [candidate.image, d]
    }
    if (nearest === undefined) return []
    taken.add(nearest)
    return [{ suspect, other: nearest }]
  })
}

/** Places of the unflagged images of a label. */
export function unflaggedOf(
  { labels }: ImageSet,
  label: number | null,
  flagged: (image: number) => boolean,
): Int32Array {
  return Int32Array.from(labels.keys()).filter((i) => (label === null || labels[i] === label) && !flagged(i))
}

/** At most `most` of a list, evenly spread over it. */
export function spread(list: ArrayLike<number>, most: number): number[] {
  const step = Math.max(1, list.length / most)
  return Array.from({ length: Math.min(list.length, most) }, (_, k) => list[Math.floor(k * step)] as number)
}

function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2
  return sum
}

/** A function from an image's place to its small version: brightness, [side · side], mean 0. */
function thumbnails(images: ImageSet): (image: number) => Float32Array {
  const [, height, width] = images.shape
  return (image) => {
    const picture = brightness(pixelsOf(images, [image]), images.shape)
    const small = boxMeans(picture, { height, width }, { height: side, width: side })
    const mean = small.reduce((a, b) => a + b, 0) / small.length
    return small.map((value) => value - mean)
  }
}
