import { argsort } from '../../training/argsort.ts'
import type { Suspicion } from '../../training/suspicion.ts'

/** The top of a ranking: the most suspicious hundredth of the images, and this many at least. */
const fewest = 16
/** How many times its share of all images a label must have there. */
const times = 3

/** A label that more than half of the most suspicious images carry, and at least three times as often as all images do. */
export interface LeadingLabel {
  readonly label: number
  /** how many of the `top` most suspicious images carry it */
  readonly count: number
  readonly top: number
  /** its share of all images */
  readonly share: number
}

export function leadingLabel({ score }: Suspicion, labels: Int32Array): LeadingLabel | null {
  const top = Math.max(fewest, Math.round(score.length / 100))
  const order = argsort(score, { descending: true })
  const leading = order.subarray(0, top)
  const scoreAt = (place: number) => score[order[place] as number] ?? -Infinity
  if (scoreAt(top - 1) <= scoreAt(order.length >> 1)) return null // a tie, in the order of the folders
  const carrying = (label: number, images: Int32Array) => images.filter((i) => labels[i] === label).length
  for (const label of new Set(labels)) {
    const count = carrying(label, leading)
    const share = carrying(label, order) / order.length
    if (count > top / 2 && count / top >= times * share) return { label, count, top, share }
  }
  return null
}
