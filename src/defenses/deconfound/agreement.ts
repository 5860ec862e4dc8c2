import { argsort } from '../../training/argsort.ts'
import type { DefenderView } from '../defense.ts'
import { agreementRound, type RoundResult } from './agreement-round.ts'
import { type Copies, divide } from './copies.ts'
import { oddsOf } from './odds.ts'
import type { Recognition } from './recognition.ts'

/** Rounds in which the images are ranked anew. */
const rounds = 4
/** This share of the label's images is taken for poisoned, the most suspicious, and as many for clean, the least suspicious. */
const share = 0.3
/** The images agree if this share of those with the largest odds … */
const shareToAgree = 1 / 3
/** … has a larger z than this share of honest images. */
const honestBelow = 0.9
/** Images are flagged that have a larger z than this share of honest images, or z > 0. */
const honestUnflagged = 0.995
/** The images of one label, and how suspicious they are. */
export interface Agreement {
  readonly own: Int32Array
  /** the odds of each of `own`, see `oddsOf` */
  readonly odds: Float32Array
  /** the score of each of `own`; above 0: flagged; null where the suspicious images share nothing */
  readonly score: Float32Array | null
}

/**
 * What the most suspicious images of a label share. A trigger is in all poisoned images; natural misfits share nothing.
 *
 *     s = rank of the odds o at first (`oddsOf`), then 0.7 · rank of z + 0.3 · rank of o
 *     z = logit of being one of those with the largest s, in the eyes of networks that have not seen the image (`agreementRound`)
 *     score = z − min(0, z₉₉.₅) of the last round, where the images agree
 *
 * Honest images show the same under their own label; 99.5 % of them have a smaller z than z₉₉.₅. The images agree if a third
 * of those with the largest odds have a larger z than nine in ten honest images.
 */
export async function agreement(
  view: DefenderView,
  label: number,
  { recognition, copies }: { recognition: Recognition; copies: Copies },
): Promise<Agreement> {
  const { images, classes, random } = view
  const own = Int32Array.from(images.labels.keys()).filter((image) => images.labels[image] === label)
  const odds = oddsOf(own, { recognition, labels: images.labels, classes: classes.length })
  const ranksOfOdds = ranks(odds)
  const count = Math.ceil(share * own.length)
  let suspicion = ranksOfOdds
  let last: RoundResult | undefined
  for (let number = 0; number < rounds; number++) {
    const name = `${label}-${number}`
    const ranked = argsort(suspicion, { descending: true }).map((place) => own[place] as number)
    last = await agreementRound(view, {
      name,
      own,
      most: ranked.slice(0, count),
      least: ranked.slice(-count),
      as: recognition.as,
      halfOf: divide(random.fork(`agreement ${name}`), copies),
    })
    suspicion = ranks(last.z).map((rank, place) => 0.7 * rank + 0.3 * (ranksOfOdds[place] as number))
  }
  return { own, odds, score: decide(last as RoundResult, odds, count) }
}

/** The scores, if the `count` images with the largest odds share something. */
function decide({ z, honest }: RoundResult, odds: Float32Array, count: number): Float32Array | null {
  const sorted = honest.toSorted()
  const honestAt = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] as number
  const recognized = argsort(odds, { descending: true }).slice(0, count)
  const sharing = recognized.filter((place) => (z[place] as number) > honestAt(honestBelow))
  if (sharing.length < shareToAgree * count) return null
  const threshold = Math.min(0, honestAt(honestUnflagged))
  return z.map((each) => each - threshold)
}

/** Ranks from 0 to 1, the largest value last. */
function ranks(values: Float32Array): Float32Array {
  const ranked = new Float32Array(values.length)
  for (const [rank, place] of argsort(values).entries()) ranked[place] = (rank + 0.5) / values.length
  return ranked
}
