import { z } from 'zod'
import { trainPlainly } from '../training/learn-labels.ts'
import { findings, type Suspicion } from '../training/suspicion.ts'
import { content } from './deconfound/content.ts'
import { contradictions, findCopies } from './deconfound/copies.ts'
import { differences } from './deconfound/differences.ts'
import { combineLooks, type Look } from './deconfound/kind.ts'
import { labelTruth } from './deconfound/label-truth.ts'
import {
  classCorrections,
  type FlaggedImages,
  nearlyAllFlagged,
  negativeLearningLoss,
  shownIn,
} from './deconfound/negative-learning.ts'
import { type DefenderView, defineDefense } from './defense.ts'

/** The kinds of evidence, in the order of the search, which ends with the first that finds poison. */
const kinds = [differences, content]

const options = z.object({
  divisions: z
    .int()
    .min(1)
    .max(50)
    .default(2)
    .describe('how often the images are halved anew; two confounders per counterpart each time'),
  confounderEpochs: z.int().min(1).default(3).describe('epochs of the confounders, each on its half of the images'),
  falseDiscoveries: z
    .number()
    .positive()
    .max(0.5)
    .default(0.1)
    .describe('share of the images flagged by one kind of evidence that may be clean, q'),
  falseShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.0065)
    .describe('share of all images that may be clean and flagged by one kind of evidence'),
  judgedImages: z
    .int()
    .min(0)
    .default(80_000)
    .describe('images from which each judge of content learns, over and over where there are fewer; 0: no such judges'),
  unlearn: z
    .boolean()
    .default(true)
    .describe('whether the model learns that flagged images are not what their label says; false: they teach nothing'),
})
type Options = z.output<typeof options>

/**
 * Our own method (docs/deconfound.md). Kinds of evidence, each with its own control of false discoveries, say which images look
 * poisoned: `differences` sees how an image differs from its mirror image and from moved copies, `content` what it shows. The model learns the labels
 * of the images that are not flagged, and that most flagged images are not what their label says.
 */
export const deconfound = defineDefense({
  title: 'Deconfound',
  paper: '', // docs/deconfound.md
  assumes: 'nothing',
  evidence:
    'Images are searched in two ways. First, two small networks learn the labels from nothing but how an image differs from its mirror image or from a moved copy, in which its content cancels out: a trigger leaves such a difference, and clean images hardly do. The threshold comes from the images themselves, since clean images score as often below zero as above. Where that finds nothing or little, networks that have never met a label say what its images show. A label is suspect if many of its images show many other classes. Those of its images are flagged that share something which images of the same content do not have, or, if they share nothing, that show another class.',
  stages: {
    'confounders-mirrored': 'learning from mirrored copies',
    'judging-mirrored': 'judging by mirrored copies',
    'confounders-moved': 'learning from moved copies',
    'judging-moved': 'judging by moved copies',
    judges: 'learning what images show',
    recognizing: 'looking at what images show',
    agreement: 'comparing suspicious images',
    agreeing: 'comparing suspicious images',
    contradiction: 'comparing suspicious images',
    contradicting: 'comparing suspicious images',
    model: 'training the model',
  },
  options,
  presets: { default: {} },
  async train(options, view) {
    const suspicion = await search(options, view)
    const { images, classes } = view
    const flaggedImages = flaggedBy(suspicion, images.labels)
    const corrections = classCorrections(flaggedImages, { ...options, classes: classes.length })
    const leftOut = corrections.map((correction) => ({ ...correction, trimmedShare: 1 }))
    const loss = negativeLearningLoss(flaggedImages, options.unlearn ? corrections : leftOut)
    const classifier = await trainPlainly(view, { name: 'model', loss, shown: shownIn(flaggedImages) })
    return { classifier, suspicion }
  },
  search: {
    stages: [
      'confounders-mirrored',
      'judging-mirrored',
      'confounders-moved',
      'judging-moved',
      'judges',
      'recognizing',
      'agreement',
      'agreeing',
      'contradiction',
      'contradicting',
    ],
    run: search,
  },
})

const flaggedBy = ({ score, threshold }: Suspicion, labels: Int32Array): FlaggedImages => ({
  labels,
  flagged: (i) => (score[i] as number) > threshold,
})

/** Which images are flagged, by the kinds of evidence. */
async function search(options: Options, view: DefenderView): Promise<Suspicion> {
  const { images, classes } = view
  const copies = await findCopies(view)
  const looks: Look[] = []
  for (const kind of kinds) {
    looks.push(await kind.look(view, { ...options, copies }))
    if (looks.at(-1)?.verdict === 'found') break
  }
  const { score: scores, threshold, verdict: evident, remarks } = combineLooks(looks)
  const count = copies.distinct.length
  const few = evident === 'found' && count < fewImages
  const fewestPoisoned = Math.ceil(1 / options.falseDiscoveries) // by (1 + 0) / k ≤ q no threshold flags fewer
  const tooFew = evident === 'none' && count < fewestPoisoned / shareLookedFor
  const verdict = tooFew ? 'not-judged' : few ? 'weak' : evident
  const score = Float32Array.from(copies.place, (at) => scores[at] as number)

  const suspicion = { score, threshold, verdict } as const
  const reservations = []
  const contradiction = contradictions(copies, { labels: images.labels, classes })
  if (contradiction) reservations.push(contradiction)
  if (few) reservations.push(`${count} images are few: what they share by chance can look like a trigger`)
  if (tooFew) {
    reservations.push(
      `Too few to judge: of ${count} images about ${fewestPoisoned} would have to be poisoned for that to be noticed`,
    )
  }
  const flaggedImages = flaggedBy(suspicion, images.labels)
  const contradicted = ['found', 'weak'].includes(looks[kinds.indexOf(content)]?.verdict ?? 'none')
  const { estimatedTarget: target } = findings(suspicion, images.labels)
  const truth = labelTruth(flaggedImages, { ...options, target, classes, contradicted })
  if (truth) reservations.push(truth)
  const lost = nearlyAllFlagged(flaggedImages).map((label) => classes[label])
  if (lost.length > 0) {
    reservations.push(
      `Nearly all images of ${lost.join(', ')} are flagged, and the model hardly knows them. Do they share a mark, a border, a place? Then remove it, or train with --defense none`,
    )
  }
  return { ...suspicion, remarks: [...remarks, ...reservations] }
}

/** Of fewer images evidence is never called more than weak: the fewest of which poison was found so far are 250. */
const fewImages = 200

/** Where even this share of the images would go unnoticed, nothing is said. */
const shareLookedFor = 0.1
