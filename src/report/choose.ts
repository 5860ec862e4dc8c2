import { Random } from '../tensor/random.ts'
import { argsort } from '../training/argsort.ts'
import type { Suspicion } from '../training/suspicion.ts'

/** How many pictures a group of the gallery shows at most. */
const shown = { strongest: 24, sample: 18, border: 12 }

/** Places of images that a report shows. */
export interface Chosen {
  /** the highest scores, best first */
  readonly strongest: Int32Array
  /** random among the flagged that are not among the strongest */
  readonly sample: Int32Array
  /** flagged, the lowest score first */
  readonly above: Int32Array
  /** not flagged, the highest score first; where none is flagged these are the strongest, and none is listed twice */
  readonly below: Int32Array
}

/** Which images show what was flagged: the strongest, a random sample, and those at the threshold. The same scores give the same choice. */
export function chooseSuspects({ score, threshold }: Pick<Suspicion, 'score' | 'threshold'>): Chosen {
  const order = argsort(score, { descending: true })
  const count = score.filter((value) => value > threshold).length
  const flagged = order.subarray(0, count)
  const strongest = order.slice(0, count > 0 ? Math.min(count, shown.strongest) : shown.strongest)
  const above =
    count > shown.strongest ? flagged.slice(Math.max(shown.strongest, count - shown.border)).reverse() : none
  const rest = flagged.subarray(strongest.length, count - above.length)
  const drawn = new Random(0).fork('report').permutation(rest.length).slice(0, shown.sample)
  return {
    strongest,
    sample: drawn.map((place) => rest[place] as number),
    above,
    below: count > 0 ? order.slice(count, count + shown.border) : none,
  }
}

const none = new Int32Array()
