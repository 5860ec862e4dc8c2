import { accuracy, crossEntropy, oneHot } from '../../nn/losses.ts'
import { stateOf } from '../../nn/module.ts'
import { oneCycle } from '../../nn/schedule.ts'
import { sgd } from '../../nn/sgd.ts'
import { scope } from '../../tensor/scope.ts'
import { noGrad } from '../../tensor/tensor.ts'
import { argsort } from '../../training/argsort.ts'
import { noAugmentation } from '../../training/augment.ts'
import { perSample } from '../../training/per-sample.ts'
import type { DefenderView } from '../defense.ts'
import { type Judge, makeJudge } from './judge.ts'
import { contentOf, type MeasuredRecognition, mostEpochs } from './recognition.ts'

/** This share of the label's images is believed: those with the smallest odds. They are shown twice as often as others. */
const believed = 0.3
/** The share of honest images that may be flagged. */
const falseShare = 0.01

/** The images of one label, and the odds that they show another class. */
interface Doubted {
  readonly label: number
  readonly own: Int32Array
  readonly odds: Float32Array
}

/**
 * Whether images of a label show another class, where they share nothing: by a network that knows all labels, this one from
 * the images that are hardly doubted.
 *
 *     W = max z_j over j ≠ y − z_y,   score = W − max(0, W₉₉)
 *
 * 99 % of the honest images that were set aside, under other labels, have a smaller W than W₉₉.
 *
 * @returns the score of each of `own`; above 0: flagged
 */
export async function contradiction(
  view: DefenderView,
  doubted: Doubted,
  { aside, judgedImages }: Pick<MeasuredRecognition, 'aside'> & { readonly judgedImages: number },
): Promise<Float32Array> {
  const { images, random, compute, classes } = view
  const { label, own } = doubted
  const network = makeJudge(random.fork(`contradiction ${label}`), {
    compute,
    channels: images.shape[0],
    classes: classes.length,
  })
  await learn(network, view, { ...doubted, aside, judgedImages })
  const honest = aside.filter((image) => images.labels[image] !== label)
  const W = await contradictions(network, view, { label, shown: Int32Array.from([...own, ...honest]) })
  const ofHonest = Float32Array.from(honest, W).sort()
  const limit = ofHonest[Math.floor((1 - falseShare) * (ofHonest.length - 1))] ?? 0
  return Float32Array.from(own, (image) => W(image) - Math.max(0, limit))
}

async function learn(
  network: Judge,
  { images, recipe, stage }: DefenderView,
  { label, own, odds, aside, judgedImages }: Doubted & { aside: Int32Array; judgedImages: number },
): Promise<void> {
  const left = new Set(aside)
  const others = Int32Array.from(images.labels.keys()).filter((i) => images.labels[i] !== label && !left.has(i))
  const least = argsort(odds).slice(0, Math.ceil(believed * own.length))
  const known = least.map((place) => own[place] as number)
  const list = Int32Array.from([...others, ...known, ...known])
  const optimizer = sgd(network.parameters, { momentum: 0.9, weightDecay: 5e-4, nesterov: true })
  const options = {
    epochs: Math.min(mostEpochs, Math.max(2, Math.round((2 * judgedImages) / list.length))),
    batch: 64,
    augmentation: recipe.augmentation,
    repeated: { batches: Math.ceil(list.length / 64), from: () => list },
    asFrequent: true,
    state: { network: stateOf(network), optimizer },
  }
  const rate = oneCycle(0.1)
  for await (const { images: shown, labels, step, steps, report } of stage(`contradiction-${label}`, options)) {
    scope(() => {
      const logits = network.forward(
        noGrad(() => contentOf(shown)),
        'train',
      )
      const loss = optimizer.step(crossEntropy(logits, labels), rate(step, steps))
      report({ loss, accuracy: accuracy(logits, labels) })
    })
  }
}

/** W of an image that is shown. */
async function contradictions(
  network: Judge,
  { images, classes, compute, stage }: DefenderView,
  { label, shown }: { label: number; shown: Int32Array },
): Promise<(image: number) => number> {
  const W = perSample(images.count, compute.device)
  const options = { epochs: 1, batch: 256, augmentation: noAugmentation, only: shown, ordered: true, state: { W } }
  for await (const { images: pictures, labels, indices, report } of stage(`contradicting-${label}`, options)) {
    scope(() =>
      noGrad(() => {
        const z = network.forward(contentOf(pictures), 'eval')
        const others = z.sub(oneHot(labels, classes.length).mul(1e9))
        const largest = others.gather(1, others.argmax(1, true))
        report({ loss: crossEntropy(z, labels), accuracy: accuracy(z, labels) })
        W.set(indices, largest.sub(z.gather(1, labels.unsqueeze(1))).squeeze(1))
      }),
    )
  }
  const all = W.read()
  return (image) => all[image] as number
}
