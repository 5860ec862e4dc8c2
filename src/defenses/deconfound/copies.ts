import { createHash } from 'node:crypto'
import type { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import { inOrder } from '../../training/loader.ts'
import type { TrainingContext } from '../../training/training-context.ts'

// A confounder that has seen an image knows its exact copies as well, and copies say no more than one image: they stay
// in one half, and count once as evidence. Images of one group (the frames of a film) stay in one half, too. Without copies
// and groups nothing differs.

/** Which images are the same in every pixel. */
export interface Copies {
  /** of each image the first one with its pixels; itself where it has no copy before it */
  readonly first: Int32Array
  /** of each image the first one that stays in a half with it: its copy, one of its group, a copy of one of its group, and so on */
  readonly together: Int32Array
  /** the first image of each pixels and label, in order */
  readonly distinct: Int32Array
  /** of each image the place in `distinct` of the one with its pixels and label */
  readonly place: Int32Array
}

export async function findCopies({ images, pause }: Pick<TrainingContext, 'images' | 'pause'>): Promise<Copies> {
  const contents: string[] = []
  for (const indices of inOrder(images.count, 256)) {
    const bytes = scope(() => images.images(indices).mul(255).round().to({ dtype: 'uint8' }).bytes())
    const size = bytes.length / indices.length
    for (let k = 0; k < indices.length; k++) {
      const own = bytes.subarray(k * size, (k + 1) * size)
      contents.push(createHash('sha256').update(own).digest('base64'))
    }
    await pause()
  }
  const withLabels = contents.map((content, i) => `${images.labels[i]} ${content}`)
  const distinct = firsts(withLabels).filter((first, i) => first === i)
  const places = new Map(Array.from(distinct, (image, place) => [withLabels[image], place]))
  const first = firsts(contents)
  return {
    first,
    together: images.groups ? joined(first, firsts(images.groups)) : first,
    distinct,
    place: Int32Array.from(withLabels, (key) => places.get(key) as number),
  }
}

/** Of each key the place where it comes first. */
function firsts<Key>(keys: ArrayLike<Key>): Int32Array {
  const seen = new Map<Key, number>()
  return Int32Array.from(keys, (key, i) => {
    const first = seen.get(key) ?? i
    seen.set(key, first)
    return first
  })
}

/** Of each image the first one that it is linked to; `links` name for each image an earlier one, or itself. */
function joined(...links: readonly Int32Array[]): Int32Array {
  const count = links[0]?.length ?? 0
  const earlier = Int32Array.from({ length: count }, (_, i) => i)
  const firstOf = (image: number): number => {
    let at = image
    while (earlier[at] !== at) at = earlier[at] as number
    return at
  }
  for (const link of links) {
    for (let i = 0; i < count; i++) {
      const [a, b] = [firstOf(i), firstOf(link[i] as number)]
      earlier[Math.max(a, b)] = Math.min(a, b)
      earlier[i] = Math.min(a, b) // short ways for those that follow
    }
  }
  return earlier.map((_, i) => firstOf(i))
}

/** The half, 0 or 1, of each image in a random division; copies and groups are not parted. */
export function divide(random: Random, { together }: Copies): (image: number) => number {
  const place = random.permutation(together.length)
  return (image) => (place[together[image] as number] as number) % 2
}

/** One number for each distinct image, the mean over its copies of `values`, which has one for each image. */
export function meansOfCopies(values: Float32Array, { distinct, place }: Copies): Float32Array {
  const sums = new Float64Array(distinct.length)
  const counts = new Int32Array(distinct.length)
  for (const [i, value] of values.entries()) {
    const at = place[i] as number
    sums[at] = (sums[at] as number) + value
    counts[at] = (counts[at] as number) + 1
  }
  return Float32Array.from(sums, (sum, at) => sum / (counts[at] as number))
}

/** A sentence about images that have an exact copy under another label; undefined where there are none. */
export function contradictions(
  { first, distinct }: Copies,
  { labels, classes }: { labels: Int32Array; classes: readonly string[] },
): string | undefined {
  const labelsOf = new Map<number, Set<number>>()
  for (const image of distinct) {
    const own = labelsOf.get(first[image] as number) ?? new Set()
    labelsOf.set(first[image] as number, own.add(labels[image] as number))
  }
  const odd = (image: number) => (labelsOf.get(image)?.size ?? 0) > 1
  const count = first.filter(odd).length
  if (count === 0) return undefined
  const named = [...new Set([...labelsOf.values()].filter(({ size }) => size > 1).flatMap((each) => [...each]))].sort()
  const list = named.map((label) => classes[label]).join(', ')
  return `${count} images have an exact copy under another label (${list}): of each such pair one label is wrong`
}
