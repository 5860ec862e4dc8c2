import { argsort } from '../../training/argsort.ts'
import type { DefenderView } from '../defense.ts'
import { agreementRound, type RoundResult } from './agreement-round.ts'
import { type Copies, divide } from './copies.ts'
import { oddsOf } from './odds.ts'
import type { Recognition } from './recognition.ts'

/** Rounds in which the images are ranked anew, before the last. */
const rounds = 4
/** This share of the label's images is taken for poisoned, the most suspicious, and as many for clean, the least suspicious. */
const share = 0.3
/** The last round needs so many images on either side. */
const fewestDrawn = 16
/** Images count as poisoned that have a larger z than this share of honest images, or z > 0. */
const honestUnflagged = 0.995
/** The images share something if so many of them have a larger z than 99 % of honest images … */
const enough = 0.15
/** … and do so plainly if so many have, and no more than so many honest images have z > 0 (docs/log.md). */
const plainly = 1 / 3
const honestMistaken = 0.01

/** The images of one label, and how suspicious they are. */
export interface Agreement {
  readonly own: Int32Array
  /** the odds of each of `own`, see `oddsOf` */
  readonly odds: Float32Array
  /** the score of each of `own`; above 0: flagged; null where they share nothing */
  readonly score: Float32Array | null
}

/**
 * What the most suspicious images of a label share. A trigger is in all poisoned images; natural misfits share nothing.
 *
 *     s = rank of the odds o at first (`oddsOf`), then 0.7 · rank of z + 0.3 · rank of o
 *     z = logit of being one of those with the largest s, in the eyes of networks that have not seen the image (`agreementRound`)
 *     score = z − min(0, z₉₉.₅), where the images agree
 *
 * Honest images show the same under their own label; 99.5 % of them have a smaller z than z₉₉.₅. The images agree if 15 % of
 * them have a larger z than 99 % of honest images. They agree plainly if a third of them have, and at most 1 % of honest images
 * have z > 0. Where that is out of reach after two rounds, there are no more. Where the images agree, a last round learns from
 * images drawn among those with a score above 0, whose class may be the label's own, and from the lowest scores.
 */
export async function agreement(
  view: DefenderView,
  label: number,
  { recognition, copies, mustBePlain }: { recognition: Recognition; copies: Copies; mustBePlain: boolean },
): Promise<Agreement> {
  const { images, classes, random } = view
  const own = Int32Array.from(images.labels.keys()).filter((image) => images.labels[image] === label)
  const odds = oddsOf(own, { recognition, labels: images.labels, classes: classes.length })
  const ranksOfOdds = ranks(odds)
  const count = Math.ceil(share * own.length)
  const needed = mustBePlain ? plainly : enough
  const learn = (name: string, most: Int32Array, least: Int32Array) => {
    const halfOf = divide(random.fork(`agreement ${name}`), copies)
    return agreementRound(view, { name, own, most, least, as: recognition.as, halfOf })
  }
  let suspicion = ranksOfOdds
  let score: Float32Array | null = null
  for (let number = 0; number < rounds; number++) {
    const ranked = argsort(suspicion, { descending: true }).map((place) => own[place] as number)
    const round = await learn(`${label}-${number}`, ranked.slice(0, count), ranked.slice(-count))
    const { sharing, mistaken } = measure(round)
    if (number === 1 && sharing < needed / 2) return { own, odds, score: null }
    score = sharing >= needed && !(mustBePlain && mistaken > honestMistaken) ? scoreOf(round) : null
    suspicion = ranks(round.z).map((rank, place) => 0.7 * rank + 0.3 * (ranksOfOdds[place] as number))
  }
  if (score) {
    const ranked = argsort(score, { descending: true }).map((place) => own[place] as number)
    const poisoned = score.filter((each) => each > 0).length
    const size = Math.min(count, poisoned, own.length - poisoned)
    const drawn = random.fork(`agreement ${label} last`).permutation(poisoned).subarray(0, size)
    const most = drawn.map((place) => ranked[place] as number)
    if (size >= fewestDrawn) score = scoreOf(await learn(`${label}-${rounds}`, most, ranked.slice(-size)))
  }
  return { own, odds, score }
}

/** The share of the images with a larger z than 99 % of honest images, and of honest images with z > 0. */
function measure({ z, honest }: RoundResult): { sharing: number; mistaken: number } {
  const limit = quantile(honest, 0.99)
  const share = (values: Float32Array, isMeant: (z: number) => boolean) => values.filter(isMeant).length / values.length
  return { sharing: share(z, (each) => each > limit), mistaken: share(honest, (each) => each > 0) }
}

function scoreOf({ z, honest }: RoundResult): Float32Array {
  const threshold = Math.min(0, quantile(honest, honestUnflagged))
  return z.map((each) => each - threshold)
}

const quantile = (values: Float32Array, share: number) =>
  values.toSorted()[Math.floor(share * (values.length - 1))] as number

/** Ranks from 0 to 1, the largest value last. */
function ranks(values: Float32Array): Float32Array {
  const ranked = new Float32Array(values.length)
  for (const [rank, place] of argsort(values).entries()) ranked[place] = (rank + 0.5) / values.length
  return ranked
}
