import { accuracy, crossEntropy } from '../../nn/losses.ts'
import { stateOf } from '../../nn/module.ts'
import { oneCycle } from '../../nn/schedule.ts'
import { sgd } from '../../nn/sgd.ts'
import type { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import { noGrad, tensor } from '../../tensor/tensor.ts'
import { noAugmentation } from '../../training/augment.ts'
import { perSample } from '../../training/per-sample.ts'
import type { DefenderView } from '../defense.ts'
import { chosen, rowsAt } from './chosen.ts'
import { type Judge, makeJudge, shrunk } from './judge.ts'

/** Both networks together learn from about so many images, over and over where there are fewer, but not more often than this. */
const imagesShown = 26_000
const mostEpochs = 30
/** the side to which images are shrunk, which keeps small triggers */
const side = 64

export interface Round {
  /** of the round, and of its stages */
  readonly name: string
  /** the images of the label, and those of them taken for poisoned and for clean, as many */
  readonly own: Int32Array
  readonly most: Int32Array
  readonly least: Int32Array
  /** of each image the class that it was taken for */
  readonly as: Int32Array
  /** the half, 0 or 1, of an image */
  readonly halfOf: (image: number) => number
}

export interface RoundResult {
  /** of `own`, in their order */
  readonly z: Float32Array
  /** z of as many honest images as there are in `most` */
  readonly honest: Float32Array
}

/** A network that learns from one half and judges the other. */
interface Learner {
  readonly half: number
  readonly network: Judge
}

/**
 * z, the logit of being one of `most`: by networks that tell them from `least`, and from honest images, which show the same
 * under their own label: for each of `most` one labeled as the class that it was taken for.
 */
export async function agreementRound(view: DefenderView, round: Round): Promise<RoundResult> {
  const { name, own, most, as } = round
  const honestOf = drawerOfLabels(view.images.labels)
  const drawn = (stream: string) =>
    honestOf(
      most.map((image) => as[image] as number),
      view.random.fork(`agreement ${name} ${stream}`),
    )
  const learners = await learn(view, round, drawn)
  const honest = drawn('judging')
  const z = await judge(view, round, { learners, shown: Int32Array.from(new Set([...own, ...honest])) })
  return { z: Float32Array.from(own, z), honest: Float32Array.from(honest, z) }
}

async function learn(
  { images, compute, random, stage }: DefenderView,
  { name, most, least, halfOf }: Round,
  honest: (stream: string) => Int32Array,
): Promise<Learner[]> {
  const learners = [0, 1].map((half) => {
    const own = random.fork(`agreement ${name} ${half}`)
    const network = makeJudge(own, { compute, channels: images.shape[0], classes: 2 })
    const optimizer = sgd(network.parameters, { momentum: 0.9, weightDecay: 5e-4, nesterov: true })
    return { half, network, optimizer }
  })
  const named = learners.flatMap(({ half, network, optimizer }) => [
    [`network-${half}`, stateOf(network)],
    [`optimizer-${half}`, optimizer],
  ])
  const poisoned = new Set(most)
  const shown = 3 * most.length
  const batch = 128
  const options = {
    epochs: Math.min(mostEpochs, Math.max(4, Math.round(imagesShown / shown))),
    batch,
    augmentation: noAugmentation,
    repeated: {
      batches: Math.ceil(shown / batch),
      from: (epoch: number) => Int32Array.from([...most, ...least, ...honest(`epoch ${epoch}`)]),
    },
    asFrequent: true,
    state: Object.fromEntries(named),
  }
  const rate = oneCycle(0.1)
  for await (const { images: pictures, indices, step, steps, report } of stage(`agreement-${name}`, options)) {
    scope(() => {
      const small = noGrad(() => shrunk(pictures, side))
      for (const { half, network, optimizer } of learners) {
        const own = chosen(indices, (image) => halfOf(image) === half)
        if (own.places.length < 2) continue
        scope(() => {
          const marks = own.images.map((image) => Number(poisoned.has(image)))
          const labels = tensor(marks, [marks.length], 'int64').to({ device: compute.device })
          const logits = network.forward(rowsAt(small, own.places), 'train')
          const loss = optimizer.step(crossEntropy(logits, labels), rate(step, steps))
          report({ loss, accuracy: accuracy(logits, labels) })
        })
      }
    })
  }
  return learners
}

/** z of an image that is shown, by the network that has learned from the other half. */
async function judge(
  { images, compute, stage }: DefenderView,
  { name, halfOf }: Round,
  { learners, shown }: { learners: readonly Learner[]; shown: Int32Array },
): Promise<(image: number) => number> {
  const z = perSample(images.count, compute.device)
  const options = { epochs: 1, batch: 256, augmentation: noAugmentation, only: shown, ordered: true, state: { z } }
  for await (const { images: pictures, indices, report } of stage(`agreeing-${name}`, options)) {
    scope(() =>
      noGrad(() => {
        const small = shrunk(pictures, side)
        for (const { half, network } of learners) {
          const unseen = chosen(indices, (image) => halfOf(image) !== half)
          if (unseen.places.length === 0) continue
          const logits = network.forward(rowsAt(small, unseen.places), 'eval')
          const odds = logits.select(1, 1).sub(logits.select(1, 0))
          z.set(unseen.images, odds)
          report({ 'log odds': odds.mean() })
        }
      }),
    )
  }
  const all = z.read()
  return (image) => all[image] as number
}

/** Draws for each given label an image of that label. */
function drawerOfLabels(labels: Int32Array): (wanted: Int32Array, random: Random) => Int32Array {
  const of = new Map<number, number[]>()
  for (const [image, label] of labels.entries()) {
    const images = of.get(label)
    if (images) images.push(image)
    else of.set(label, [image])
  }
  return (wanted, random) =>
    wanted.map((label) => {
      const images = of.get(label) as number[]
      return images[random.integer(images.length)] as number
    })
}
