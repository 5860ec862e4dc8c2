import type { Verdict } from '../../training/suspicion.ts'
import { agreement } from './agreement.ts'
import { contradiction } from './contradiction.ts'
import { meansOfCopies } from './copies.ts'
import type { Kind } from './kind.ts'
import { recognize } from './recognition.ts'
import { fewestNoticed, suspectLabels } from './suspect-labels.ts'

/** Of fewer labels no judge knows two. */
const fewestLabels = 4
/** Judges of so few images differ much from each other: there are twice as many. */
const fewImages = 20_000

/**
 * What an image shows contradicts its label. Judges that have never met a label say what its images show, and have seen none
 * of its poison. A label is suspect if too many of its images show too many other classes (`suspectLabels`). Those of its
 * images are flagged that share something which images of the same content do not have (`agreement`). If they share nothing,
 * a network that knows the label as well decides (`contradiction`). A faintly suspect label counts only if its images agree plainly.
 *
 * The score is σ(the score of these) under suspect labels, with a threshold of 0.5. Other images have c − 1, c being the confidence
 * by which they show another class.
 */
export const content: Kind = {
  async look(view, { divisions, judgedImages, copies }) {
    const { images, classes } = view
    if (classes.length < fewestLabels || judgedImages === 0) {
      const score = new Float32Array(copies.distinct.length)
      return { score, threshold: 0, verdict: 'not-judged', remarks: [] }
    }
    const often = images.count <= fewImages ? 2 * divisions : divisions
    const recognition = await recognize(view, { divisions: often, judgedImages, copies })
    const score = recognition.confidence.map((c) => c - 1)
    const verdicts: Verdict[] = []
    const remarks: string[] = []
    for (const { label, suspicion } of suspectLabels(recognition, images.labels, classes.length)) {
      const mustBePlain = suspicion === 'faint'
      const { own, odds, score: shared } = await agreement(view, label, { recognition, copies, mustBePlain })
      const agreed = shared !== null
      if (mustBePlain && !agreed) continue
      const { aside } = recognition
      const logits = shared ?? (await contradiction(view, { label, own, odds }, { aside, judgedImages }))
      for (const [place, image] of own.entries()) score[image] = 1 / (1 + Math.exp(-(logits[place] as number)))
      verdicts.push(suspicion === 'strong' && agreed ? 'found' : 'weak')
      remarks.push(
        `Many images labeled ${classes[label]} show other classes${agreed ? '' : ', through errors of labeling or a trigger'}`,
      )
    }
    if (verdicts.length === 0) remarks.push(sight(fewestNoticed(recognition, images.labels, classes.length)))
    const nothing = recognition.recall > 0 ? 'none' : 'not-judged'
    return {
      score: meansOfCopies(score, copies),
      threshold: 0.5,
      verdict: verdicts.includes('found') ? 'found' : (verdicts[0] ?? nothing),
      remarks,
    }
  },
}

/** What could have been seen and was not. */
const sight = (fewest: number) =>
  Number.isFinite(fewest)
    ? `Content was searched: about ${fewest} poisoned images of many classes under one label would be noticed, unless their trigger hides what they show`
    : 'Content could not be searched: networks do not recognize images that they have not seen'
