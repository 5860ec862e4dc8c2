import type { Suspicion } from '../../training/suspicion.ts'
import type { DefenderView } from '../defense.ts'
import type { Copies } from './copies.ts'

/** What every kind of evidence is searched with. */
export interface Search {
  /** how often the images are halved anew */
  readonly divisions: number
  readonly confounderEpochs: number
  /** q, the share of the images flagged by one kind of evidence that may be clean */
  readonly falseDiscoveries: number
  /** the share of all images that may be clean and flagged by one kind of evidence */
  readonly falseShare: number
  /** how many images each judge of `content` learns from, over and over where there are fewer; 0: `content` does not look */
  readonly judgedImages: number
  readonly copies: Copies
}

/** What a kind of evidence says: scores have a place for each distinct image, and `not-judged` is said of data that it cannot judge. */
export type Look = Required<Suspicion>

/** A kind of evidence that images are poisoned, which controls its false discoveries by itself. */
export interface Kind {
  look(view: DefenderView, search: Search): Promise<Look>
}

/** The largest float32 below 1: a score of 1 is flagged. */
const belowOne = 1 - 2 ** -24

/**
 * Looks side by side. An image is flagged where one of them flags it: score = max score/threshold over the looks that found
 * something. Where none did, the score is that of the first look that could judge.
 */
export function combineLooks(looks: readonly Look[]): Look {
  const remarks = looks.flatMap((look) => look.remarks)
  const finding = looks.filter(({ verdict }) => verdict === 'found' || verdict === 'weak')
  const first = finding[0] ?? looks.find(({ verdict }) => verdict === 'none') ?? (looks[0] as Look)
  if (finding.length < 2) return { ...first, remarks }
  // A quotient may be rounded to 1, from either side.
  const relative = ({ score, threshold }: Look, i: number) => {
    const own = score[i] as number
    return own > threshold ? Math.max(1, own / threshold) : Math.min(1 - 2 ** -23, own / threshold)
  }
  const score = first.score.map((_, i) => Math.max(...finding.map((look) => relative(look, i))))
  const verdict = finding.some((look) => look.verdict === 'found') ? 'found' : 'weak'
  return { score, threshold: belowOne, verdict, remarks }
}
