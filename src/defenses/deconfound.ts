import { z } from 'zod'
import { UserError } from '../errors.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { type Mode, stateOf } from '../nn/module.ts'
import type { Optimizer } from '../nn/optimizer.ts'
import { cosine } from '../nn/schedule.ts'
import { sgd } from '../nn/sgd.ts'
import { scope } from '../tensor/scope.ts'
import { cat, noGrad, stack, type Tensor, tensor } from '../tensor/tensor.ts'
import { noAugmentation } from '../training/augment.ts'
import { lastMade } from '../training/passes.ts'
import { perSample } from '../training/per-sample.ts'
import { trainPlainly } from '../training/train-plainly.ts'
import { type Confounder, makeConfounder } from './deconfound/confounder.ts'
import { type Counterpart, drawPairing, type Pairing } from './deconfound/counterparts.ts'
import { type Evidence, weigh } from './deconfound/evidence.ts'
import { distrust, nearlyLost, shownIn, takeToll } from './deconfound/negative-learning.ts'
import { residue } from './deconfound/residue.ts'
import { usualShare } from './deconfound/single-label.ts'
import { type DefenderView, defineDefense } from './defense.ts'

/**
 * Our own. As in CBD a confounder learns the trigger first, but here it learns nothing of what images show. Every image x has
 * counterparts x′, its mirror image and a moved copy, which show the same and are as natural, while a trigger is no longer itself.
 * The confounder f is given the difference alone, d = f(x) − f(x′) ∈ ℝᶜ for C classes, and is to tell the label y from it and,
 * of mirror images, which of the two is the image: CE((d, −d), y), of 2C guesses. Of moved copies the label only, CE(d, y): things have
 * their place in images. Without a trigger x and x′ can as well be exchanged, so that d is as often one thing as its opposite.
 *
 * Each half of the images is judged by confounders that have not seen it, for having seen an image would be a difference too.
 * With d̄ the mean of d over the classes other than y, W = d_y − d̄ speaks of a trigger that goes with the label, and W = d̄ of one that
 * goes with any (all-to-all). On clean images W is as often positive as negative: those are named whose W is beyond a threshold t at
 * which few are below −t (knockoffs, Barber and Candès 2015). The model learns the labels of all images not named, and that most of those
 * named are not what their label says.
 */
export const deconfound = defineDefense({
  title: 'Deconfound',
  paper: '', // docs/deconfound.md
  assumes: 'nothing',
  options: z.object({
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
      .describe('share of the images named by one kind of evidence that may be clean, q'),
    falseShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.0065)
      .describe('share of all images that may be clean and named by one kind of evidence'),
  }),
  presets: { default: {} },
  async train({ divisions, confounderEpochs: epochs, falseDiscoveries: q, falseShare }, view) {
    const { images, classes, recipe } = view
    const evidence: Evidence[] = []
    let mirrored = recipe.augmentation.flip
    // Even mirror images are exchangeable only by and large (some have a line at one border). Clean ones took slacks of 1.1 to 1.2, a few 1.5.
    if (mirrored) {
      const { ofLabel, ofAny } = await compare(view, 'mirrored', { divisions, epochs })
      // Close to one half whatever the poison of a few classes, and to one where mirror images are not natural, as of letters and arrows.
      mirrored = usualShare(ofLabel, images.labels) < 0.65
      if (mirrored) {
        evidence.push({ differences: ofLabel, slack: { toFind: 1.5, toName: 1 }, labels: images.labels })
        evidence.push({ differences: ofAny, slack: { toFind: 2, toName: 2 } })
      }
    }
    const { ofLabel } = await compare(view, 'moved', { divisions, epochs })
    evidence.push({ differences: ofLabel, slack: { toFind: 2, toName: 2 } })
    const { score, threshold, verdict, remarks } = weigh(evidence, { q, most: falseShare * images.count })

    const suspected = (i: number) => (score[i] as number) > threshold
    const distrusted = { labels: images.labels, suspected }
    const reservations = []
    if (recipe.augmentation.flip && !mirrored) reservations.push(notNatural)
    if (!mirrored) reservations.push(movedAlone)
    const lost = nearlyLost(distrusted).map((label) => classes[label])
    if (lost.length > 0) {
      reservations.push(
        `Nearly all images of ${lost.join(', ')} are suspected, and the model hardly knows them. Do they share a mark, a border, a place? Then remove it, or train with --defense none`,
      )
    }
    const tolls = takeToll(distrusted, { classes: classes.length, falseDiscoveries: q })
    const loss = distrust(distrusted, tolls)
    const classifier = await trainPlainly(view, { name: 'model', loss, shown: shownIn(distrusted) })
    return { classifier, suspicion: { score, threshold, verdict, remarks: [...remarks, ...reservations] } }
  },
})

const notNatural =
  'Mirror images are not natural here: most classes tell them from their images. Train again with --flip false'
const movedAlone =
  'Moved copies alone were compared: they miss triggers that go with any label (all-to-all), and some others'

/** A confounder that learns from one half of the images and judges the other. */
interface Learner {
  readonly confounder: Confounder
  readonly optimizer: Optimizer
  readonly learnsFrom: (image: number) => boolean
}

/** What confounders say of images that they have not seen, as the mean over divisions: W = d_y − d̄, and W = d̄. */
interface Comparison {
  readonly ofLabel: Float32Array
  readonly ofAny: Float32Array
}

async function compare(
  view: DefenderView,
  counterpart: Counterpart,
  { divisions, epochs }: { divisions: number; epochs: number },
): Promise<Comparison> {
  const { images, random, compute, classes } = view
  const learners = Array.from({ length: divisions }, (_, division) => {
    const place = random.fork(`halves ${division}`).permutation(images.count)
    return [0, 1].map((half): Learner => {
      const own = random.fork(`confounder ${counterpart} ${division} ${half}`)
      const confounder = makeConfounder(own, { compute, shape: images.shape, classes: classes.length })
      // A small network that sees each image a few times: it must learn at once (the rate below) and not by heart (the decay).
      const optimizer = sgd(confounder.parameters, { momentum: 0.9, weightDecay: 1e-2 })
      return { confounder, optimizer, learnsFrom: (image) => (place[image] as number) % 2 === half }
    })
  }).flat()
  await learn(learners, { view, counterpart, epochs })
  return judge(learners, { view, counterpart })
}

/** All at once, so that what is left of an image is computed once. */
async function learn(
  learners: readonly Learner[],
  { view, counterpart, epochs }: { view: DefenderView; counterpart: Counterpart; epochs: number },
): Promise<void> {
  const { images, recipe } = view
  const state = Object.fromEntries(
    learners.flatMap(({ confounder, optimizer }, k) => [
      [`confounder-${k + 1}`, stateOf(confounder)],
      [`optimizer-${k + 1}`, optimizer],
    ]),
  )
  const schedule = cosine(0.05)
  const pairing = lastMade((epoch) => pairingOf(view, { counterpart, stream: `epoch ${epoch}` }))
  // Of a batch each of them sees half.
  const brief = { epochs, batch: 2 * recipe.batch, augmentation: noAugmentation, state }
  for await (const { indices, epoch, step, steps, report } of view.stage(`confounders-${counterpart}`, brief)) {
    scope(() => {
      const shown = residuesOf(view, indices, pairing(epoch))
      const learned = learners.flatMap(({ confounder, optimizer, learnsFrom }) => {
        const half = chosen(indices, learnsFrom)
        if (half.images.length === 0) return []
        return scope(() => {
          const d = differenceOf(confounder, shown, { places: half.places, mode: 'train' })
          const guesses = guessesOf(d, counterpart)
          const labels = images.labelsOf(half.images)
          const loss = optimizer.step(crossEntropy(guesses, labels), schedule(step, steps))
          return { loss, accuracy: accuracy(guesses, labels) }
        })
      })
      report(meansOf(learned))
    })
  }
}

const guessesOf = (d: Tensor, counterpart: Counterpart) => (counterpart === 'mirrored' ? cat([d, d.neg()], 1) : d)

function meansOf(figures: readonly { readonly loss: Tensor; readonly accuracy: Tensor }[]) {
  const mean = (values: readonly Tensor[]) => stack(values).mean()
  return { loss: mean(figures.map(({ loss }) => loss)), accuracy: mean(figures.map(({ accuracy }) => accuracy)) }
}

/** Means over divisions, and over four ways to be moved. */
async function judge(
  learners: readonly Learner[],
  { view, counterpart }: { view: DefenderView; counterpart: Counterpart },
): Promise<Comparison> {
  const { images, classes, compute } = view
  const ways = counterpart === 'mirrored' ? 1 : 4
  const weight = 1 / ((learners.length / 2) * ways)
  const scores = () => perSample(images.count, compute.device)
  const [ofLabel, ofAny] = [scores(), scores()]
  const pairing = lastMade((way) => pairingOf(view, { counterpart, stream: `judging ${way}` }))
  const brief = { epochs: ways, batch: 256, augmentation: noAugmentation, ordered: true, state: { ofLabel, ofAny } }
  for await (const { indices, epoch: way, report } of view.stage(`judging-${counterpart}`, brief)) {
    scope(() =>
      noGrad(() => {
        const shown = residuesOf(view, indices, pairing(way))
        const judged = learners.flatMap(({ confounder, learnsFrom }) => {
          const unseen = chosen(indices, (image) => !learnsFrom(image))
          if (unseen.images.length === 0) return []
          return scope(() => {
            const d = differenceOf(confounder, shown, { places: unseen.places, mode: 'eval' })
            const labels = images.labelsOf(unseen.images)
            const own = d.gather(1, labels.unsqueeze(1))
            const rest = d.sum([1], true).sub(own)
            const others = rest.div(Math.max(1, classes.length - 1)).numbers()
            const differences = own.numbers().map((each, k) => each - (others[k] as number))
            ofLabel.add(unseen.images, differences, weight)
            ofAny.add(unseen.images, others, weight)
            const guesses = guessesOf(d, counterpart)
            return { loss: crossEntropy(guesses, labels), accuracy: accuracy(guesses, labels) }
          })
        })
        report(meansOf(judged))
      }),
    )
  }
  const comparison = { ofLabel: ofLabel.read(), ofAny: ofAny.read() }
  if (!Object.values(comparison).every((differences) => differences.every(Number.isFinite))) {
    throw new UserError(
      'diverged',
      `Cannot judge the images: the confounders of ${counterpart} copies have diverged; try another --seed, or --precision fp32`,
    )
  }
  return comparison
}

/** Residues of images as they are shown, and of their counterparts. */
function residuesOf({ images }: DefenderView, indices: Int32Array, { own, counterpart }: Pairing): [Tensor, Tensor] {
  return noGrad(() => [residue(images.images(indices, own)), residue(images.images(indices, counterpart))])
}

/** d = f(x) − f(x′) of the images at some places of a batch, [places, classes]. */
function differenceOf(
  confounder: Confounder,
  batch: readonly [Tensor, Tensor],
  { places, mode }: { places: Int32Array; mode: Mode },
): Tensor {
  const at = tensor(places, [places.length], 'int64').to({ device: batch[0].device })
  const residues = cat(batch.map((each) => each.indexSelect(0, at))).contiguous('channelsLast')
  const outputs = confounder.forward(residues, mode)
  return outputs.narrow(0, 0, places.length).sub(outputs.narrow(0, places.length, places.length))
}

/** Which of a batch's images are wanted, and their places in it. */
function chosen(indices: Int32Array, wanted: (image: number) => boolean): { images: Int32Array; places: Int32Array } {
  const places = Int32Array.from(indices.keys()).filter((place) => wanted(indices[place] as number))
  return { images: places.map((place) => indices[place] as number), places }
}

function pairingOf(
  { images, random }: DefenderView,
  { counterpart, stream }: { counterpart: Counterpart; stream: string },
): Pairing {
  const [, height, width] = images.shape
  return drawPairing(random.fork(`${counterpart} ${stream}`), images.count, { size: [height, width], counterpart })
}
