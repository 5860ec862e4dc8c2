import { accuracy, crossEntropy } from '../../nn/losses.ts'
import { stateOf } from '../../nn/module.ts'
import type { Optimizer } from '../../nn/optimizer.ts'
import { oneCycle } from '../../nn/schedule.ts'
import { sgd } from '../../nn/sgd.ts'
import { scope } from '../../tensor/scope.ts'
import { noGrad, operator, type Tensor, tensor, zeros } from '../../tensor/tensor.ts'
import { noAugmentation } from '../../training/augment.ts'
import { perSample } from '../../training/per-sample.ts'
import type { DefenderView } from '../defense.ts'
import { chosen, rowsAt } from './chosen.ts'
import { type Judge, makeJudge, shrunk, standardized } from './judge.ts'
import type { Search } from './kind.ts'

const indexAdd = operator<void>('index_add_')

// What an image shows, in the eyes of judges that have never met its label. A judge has seen no image of the labels that it
// judges, so none of the poison among them, whatever its trigger.

/** What the judges take each image for. */
export interface Recognition {
  /** per image the class j ≠ y that they see in it */
  readonly as: Int32Array
  /** per image p_j, the geometric mean over the judges that know j */
  readonly confidence: Float32Array
}

/** As much, and what images say from which no judge has learned. */
export interface MeasuredRecognition extends Recognition {
  /** the images set aside */
  readonly aside: Int32Array
  /** the share of them whose class is recognized with certainty under a false label */
  readonly recall: number
}

/** A recognition counts from this confidence on. */
export const certain = 0.9

/** One image in so many is set aside: no judge learns from it. */
const asideEvery = 20

/** A network that knows the labels outside of one group. */
interface Learner {
  readonly judge: Judge
  readonly optimizer: Optimizer
  readonly knows: (label: number) => boolean
}

/** Labels are divided into so many groups; each group is judged by a network trained on the others. */
const groupsOfLabels = 4
/** no image is shown more often */
export const mostEpochs = 30
/**
 * What judges see of images [batch, channels, height, width]: about 16 pixels a side, 32 of images larger than 48. Content
 * outlasts that, and four times the pixels cost four times as much.
 */
export function contentOf(images: Tensor): Tensor {
  const side = Math.max(images.size(2), images.size(3)) <= 48 ? 16 : 32
  return standardized(shrunk(images, side))
}

/** Trains the judges of all divisions of the labels side by side, then lets them judge. */
export async function recognize(
  view: DefenderView,
  { divisions, judgedImages, copies }: Pick<Search, 'divisions' | 'judgedImages' | 'copies'>,
): Promise<MeasuredRecognition> {
  const { images, classes, compute, random } = view
  const learners = Array.from({ length: divisions }, (_, division) => {
    const place = random.fork(`labels ${division}`).permutation(classes.length)
    return Array.from({ length: groupsOfLabels }, (_, group): Learner => {
      const own = random.fork(`judge ${division} ${group}`)
      const judge = makeJudge(own, { compute, channels: images.shape[0], classes: classes.length })
      const optimizer = sgd(judge.parameters, { momentum: 0.9, weightDecay: 5e-4, nesterov: true })
      return { judge, optimizer, knows: (label) => (place[label] as number) % groupsOfLabels !== group }
    })
  }).flat()
  const order = random.fork('set aside').permutation(images.count)
  const isAside = (image: number) => (order[copies.together[image] as number] as number) % asideEvery === 0
  await learn(learners, view, { judgedImages, from: (image) => !isAside(image) })
  const { labels } = images
  const recognition = await judgeAll(learners, view, { name: 'recognizing', labels })

  // What poison would look like: honest images that no judge has learned from, under a label that is not theirs.
  const draw = random.fork('false labels')
  const falseLabels = labels.map((label) => (label + 1 + draw.integer(classes.length - 1)) % classes.length)
  const aside = Int32Array.from(labels.keys()).filter(isAside)
  const planted = await judgeAll(learners, view, { name: 'recognizing-planted', labels: falseLabels, only: aside })
  const recognized = aside.filter((i) => planted.as[i] === labels[i] && (planted.confidence[i] as number) >= certain)
  return { ...recognition, aside, recall: recognized.length / Math.max(1, aside.length) }
}

async function learn(
  learners: readonly Learner[],
  view: DefenderView,
  { judgedImages, from }: { judgedImages: number; from: (image: number) => boolean },
): Promise<void> {
  const { images, recipe } = view
  const state = Object.fromEntries(
    learners.flatMap(({ judge, optimizer }, k) => [
      [`judge-${k + 1}`, stateOf(judge)],
      [`optimizer-${k + 1}`, optimizer],
    ]),
  )
  const epochs = Math.round(judgedImages / (images.count * (1 - 1 / groupsOfLabels)))
  const batch = Math.round(64 / (1 - 1 / groupsOfLabels)) // a judge learns from 64 of them
  const rate = oneCycle(0.1)
  const options = {
    epochs: Math.min(mostEpochs, Math.max(2, epochs)),
    batch,
    augmentation: recipe.augmentation,
    state,
    asFrequent: true,
  }
  for await (const { images: shown, indices, step, steps, report } of view.stage('judges', options)) {
    scope(() => {
      const small = noGrad(() => contentOf(shown))
      const learned = learners.flatMap(({ judge, optimizer, knows }) => {
        const known = chosen(indices, (image) => from(image) && knows(images.labels[image] as number))
        if (known.places.length < 2) return []
        return scope(() => {
          const labels = images.labelsOf(known.images)
          const logits = judge.forward(rowsAt(small, known.places), 'train')
          const loss = optimizer.step(crossEntropy(logits, labels), rate(step, steps))
          return [{ loss, accuracy: accuracy(logits, labels) }]
        })
      })
      const [first] = learned
      if (first) report(first)
    })
  }
}

/** What judges see in images that bear these labels, by those that have not met the label. */
async function judgeAll(
  learners: readonly Learner[],
  view: DefenderView,
  { name, labels, only }: { name: string; labels: Int32Array; only?: Int32Array },
): Promise<Recognition> {
  const { images, classes, compute } = view
  const on = { device: compute.device }
  const divisions = learners.length / groupsOfLabels
  const [as, confidence] = [perSample(images.count, compute.device), perSample(images.count, compute.device)]
  const options = {
    epochs: 1,
    batch: 256,
    augmentation: noAugmentation,
    ...(only && { only }),
    ordered: true,
    state: { as, confidence },
  }
  for await (const { images: shown, indices, report } of view.stage(name, options)) {
    scope(() =>
      noGrad(() => {
        const small = contentOf(shown)
        const empty = () => zeros([indices.length, classes.length], on)
        const [sum, count] = [empty(), empty()] // of log p_j, over the judges that know j and have not met the label
        for (const { judge, knows } of learners) {
          const { places } = chosen(indices, (image) => !knows(labels[image] as number))
          if (places.length === 0) continue
          const rows = tensor(places, [places.length], 'int64').to(on)
          const known = tensor(
            classes.map((_, label) => Number(knows(label))),
            [1, classes.length],
          ).to(on)
          const logP = judge.forward(rowsAt(small, places), 'eval').logSoftmax(1)
          indexAdd(sum, 0, rows, logP.mul(known), 1)
          indexAdd(count, 0, rows, known.expand(places.length, classes.length), 1)
        }
        const unknown = count.clamp(0, 1).sub(1).mul(1e9)
        const mean = sum.div(count.clamp(1, divisions)).add(unknown)
        const best = mean.argmax(1)
        as.set(indices, best)
        const sure = mean.gather(1, best.unsqueeze(1)).squeeze(1).exp()
        confidence.set(indices, sure)
        report({ confidence: sure.mean() })
      }),
    )
  }
  return { as: Int32Array.from(as.read()), confidence: confidence.read() }
}
