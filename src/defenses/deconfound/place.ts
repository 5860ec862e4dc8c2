import { scope } from '../../tensor/scope.ts'
import { cat, noGrad, type Tensor } from '../../tensor/tensor.ts'
import { inOrder, type Loader } from '../../training/loader.ts'
import { shrunk } from './judge.ts'

/** So many images of each group are compared. */
const compared = 500
/** Fewer images of a group say nothing. */
const fewest = 10
/** the side to which images are shrunk */
const side = 64
/** At the plainest place means are so many standard errors apart, or the images share nothing at a place. */
const plain = 8
/** a step of brightness, the least deviation: where all pixels are the same, rounding would decide */
const step = 2 / 255
/** What they share is where means are apart by more than this share of that. */
const half = 0.5

export const everywhere = 'all over the image'
/** Where something is, in words. */
export type Place = typeof everywhere | `${'at' | 'on' | 'in' | 'across' | 'from'} ${string}`

/**
 * Where the marked images of a label share something that other images do not have; null where they do not.
 *
 *     t = min over others of |m − m′| / √(v / n + v′ / n′), of the channel with the largest
 *
 * m, v: mean and variance of the marked images at a place; m′, v′: of the label's other images, and of other labels' images. Content
 * of many classes makes a mean differ from the one or the other, a mark from both.
 */
export function placeOf(images: Loader, label: number, isMarked: (image: number) => boolean): Place | null {
  return scope(() =>
    noGrad(() => {
      const all = Int32Array.from(images.labels.keys())
      const momentsWhere = (isMember: (image: number) => boolean) => momentsOf(images, all.filter(isMember))
      const marked = momentsWhere((i) => images.labels[i] === label && isMarked(i))
      const others = [
        momentsWhere((i) => images.labels[i] === label && !isMarked(i)),
        momentsWhere((i) => images.labels[i] !== label && !isMarked(i)),
      ].flatMap((moments) => moments ?? [])
      if (!marked || others.length === 0) return null
      const apart = others.map((other) => standardErrors(marked, other))
      const t = apart[0]?.map((first, place) => Math.min(first, apart.at(-1)?.[place] as number)) as number[]
      const most = Math.max(...t)
      if (most < plain) return null
      const places = [...t.keys()].filter((place) => (t[place] as number) > half * most)
      const [height, width] = [marked.mean.size(1), marked.mean.size(2)]
      const rows = places.map((place) => Math.floor(place / width))
      const columns = places.map((place) => place % width)
      return inWords(partOf(rows, height), partOf(columns, width))
    }),
  )
}

/** Of images at each place, [channels, height, width]. */
interface Moments {
  readonly count: number
  readonly mean: Tensor
  readonly variance: Tensor
}

function momentsOf(images: Loader, members: Int32Array): Moments | null {
  if (members.length < fewest) return null
  const count = Math.min(compared, members.length)
  const chosen = Int32Array.from(
    { length: count },
    (_, k) => members[Math.floor((k * members.length) / count)] as number,
  )
  const parts = inOrder(count, 100).map((places) =>
    scope(() => shrunk(images.images(places.map((place) => chosen[place] as number)), side)),
  )
  const pictures = cat(parts, 0)
  const mean = pictures.mean([0])
  return {
    count,
    mean,
    variance: pictures
      .sub(mean)
      .square()
      .mean([0])
      .clamp(step ** 2, null),
  }
}

/** |m − m′| / √(v / n + v′ / n′) at each place, the largest of the channels. */
function standardErrors(a: Moments, b: Moments): number[] {
  const error = a.variance.div(a.count).add(b.variance.div(b.count)).sqrt()
  const t = a.mean.sub(b.mean).abs().div(error)
  const [first, ...channels] = Array.from({ length: t.size(0) }, (_, channel) => t.select(0, channel).numbers())
  return (first as number[]).map((each, place) => Math.max(each, ...channels.map((others) => others[place] as number)))
}

/** The third of an axis in which places lie, 0 to 2; null where they span more than half of the axis. */
function partOf(places: readonly number[], length: number): number | null {
  const sorted = [...places].sort((a, b) => a - b)
  const span = (sorted.at(-1) as number) - (sorted[0] as number) + 1
  return 2 * span > length ? null : Math.floor((3 * (sorted[sorted.length >> 1] as number)) / length)
}

const sides = ['on the left', 'in the middle', 'on the right'] as const
const corners = [
  ['at the upper left', 'at the top', 'at the upper right'],
  sides,
  ['at the lower left', 'at the bottom', 'at the lower right'],
] as const

function inWords(vertical: number | null, horizontal: number | null): Place {
  if (vertical === null && horizontal === null) return everywhere
  if (vertical === null) return `from top to bottom, ${sides[horizontal as 0]}`
  if (horizontal === null) return `across the ${['top', 'middle', 'bottom'][vertical]}`
  return corners[vertical as 0][horizontal as 0]
}
