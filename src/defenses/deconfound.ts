import { z } from 'zod'
import { type Confounder, makeConfounder } from '../nn/confounder.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { type Mode, stateOf } from '../nn/module.ts'
import { cosine } from '../nn/schedule.ts'
import { sgd } from '../nn/sgd.ts'
import { scope } from '../tensor/scope.ts'
import { cat, noGrad, type Tensor } from '../tensor/tensor.ts'
import { noAugmentation } from '../training/augment.ts'
import { drawPairing, type Pairing } from '../training/counterparts.ts'
import { knockoffThreshold } from '../training/knockoffs.ts'
import { slices } from '../training/loader.ts'
import { lastMade } from '../training/passes.ts'
import { trainPlainly } from '../training/train-plainly.ts'
import { type DefenderView, defineDefense } from './defense.ts'

/**
 * Our own. As in CBD a confounder learns the trigger first, but here it cannot learn anything else. Every image x has a
 * counterpart x′, its mirror image, which is as natural and shows the same, while most triggers are no longer themselves. The
 * confounder f sees the difference alone, d = f(x) − f(x′), and is to tell the label from it: CE(softmax d, y). Without a
 * trigger x and x′ are exchangeable, d is as often one thing as its opposite, and nothing can be learned.
 *
 * So W = d_y is as often positive as negative on clean images; those are named whose W is beyond a threshold at which few
 * negative ones are left (knockoffs, Barber and Candès 2015), on clean data none. Each half of the images is judged by a
 * confounder that has not seen it, or having seen an image would be a difference too; W is the mean over several
 * divisions into halves. The model is trained on all images not named.
 */
export const deconfound = defineDefense({
  title: 'Deconfound',
  paper: 'https://arxiv.org/abs/2303.06818',
  assumes: 'nothing',
  options: z.object({
    divisions: z.int().min(1).max(50).default(4).describe('into halves, with two confounders each'),
    confounderEpochs: z.int().min(1).default(3).describe('epochs of each confounder, on its half of the images'),
    falseDiscoveries: z
      .number()
      .positive()
      .max(0.5)
      .default(0.1)
      .describe('share of the named images that may be clean, q'),
    falseShare: z.number().min(0).max(1).default(0.005).describe('share of all images that may be clean and named'),
  }),
  presets: { default: {} },
  async train({ divisions, confounderEpochs, falseDiscoveries, falseShare }, view) {
    const { count } = view.images
    const differences = new Float32Array(count)
    for (let division = 0; division < divisions; division++) {
      const order = view.random.fork(`halves ${division}`).permutation(count)
      const middle = order.length >> 1
      const halves = [order.slice(0, middle), order.slice(middle)] as const
      for (const [k, half] of halves.entries()) {
        const confounder = await learnConfounder(`confounder-${2 * division + k + 1}`, half, confounderEpochs, view)
        const others = halves[1 - k] as Int32Array
        const judged = judge(confounder, others, view)
        for (const [at, i] of others.entries()) {
          differences[i] = (differences[i] as number) + (judged[at] as number) / divisions
        }
      }
    }

    // A moved copy is as natural only by and large: things have their place in images. So twice as much is asked of W there.
    const slack = view.recipe.augmentation.flip ? 1 : 2
    const compared = differences.map((difference) => (difference < 0 ? slack * difference : difference))
    const threshold = knockoffThreshold(compared, falseDiscoveries, falseShare * count)
    const kept = Int32Array.from(differences.keys()).filter((i) => (differences[i] as number) < threshold)
    const classifier = await trainPlainly(
      { ...view, stage: (name, options) => view.stage(name, { ...options, only: kept }) },
      { name: 'model' },
    )
    const largest = differences.reduce((most, difference) => Math.max(most, difference), 0)
    // Above it, not from it on; and a finite number where nothing is named.
    return { classifier, suspicion: { score: differences, threshold: Math.min(threshold * (1 - 1e-6), largest) } }
  },
})

/** A confounder that has learned to tell the labels of these images from how they differ from their counterparts. */
async function learnConfounder(
  name: string,
  only: Int32Array,
  epochs: number,
  view: DefenderView,
): Promise<Confounder> {
  const { images, recipe, random, compute, classes } = view
  const confounder = makeConfounder(random.fork(name), { compute, shape: images.shape, classes: classes.length })
  // A small network that sees each image a few times: a rate at which it learns at once, a decay that keeps it from learning by heart.
  const optimizer = sgd(confounder.parameters, { momentum: 0.9, weightDecay: 1e-2 })
  const schedule = cosine(0.05)
  const state = { confounder: stateOf(confounder), optimizer }
  const brief = { epochs, batch: recipe.batch, augmentation: noAugmentation, only, state }
  const pairing = lastMade((epoch) => pairingOf(view, `${name} ${epoch}`))
  for await (const { labels, indices, epoch, step, steps, report } of view.stage(name, brief)) {
    scope(() => {
      const difference = differenceOf(confounder, indices, { view, pairing: pairing(epoch), mode: 'train' })
      const loss = optimizer.step(crossEntropy(difference, labels), schedule(step, steps))
      report({ loss, accuracy: accuracy(difference, labels) })
    })
  }
  return confounder
}

/** W = d_y of these images, the mean over the ways to be paired. */
function judge(confounder: Confounder, which: Int32Array, view: DefenderView): Float32Array {
  const { images, recipe } = view
  const ways = recipe.augmentation.flip ? 1 : 4
  const sums = new Float32Array(which.length)
  for (let way = 0; way < ways; way++) {
    const pairing = pairingOf(view, `judging ${way}`)
    let at = 0
    for (const indices of slices(which, 256)) {
      scope(() =>
        noGrad(() => {
          const difference = differenceOf(confounder, indices, { view, pairing, mode: 'eval' })
          const own = difference.gather(1, images.labelsOf(indices).unsqueeze(1)).div(ways).data()
          own.forEach((value, i) => {
            sums[at + i] = (sums[at + i] as number) + Number(value)
          })
        }),
      )
      at += indices.length
    }
  }
  return sums
}

/** d = f(x) − f(x′), [images, classes]. */
function differenceOf(
  confounder: Confounder,
  indices: Int32Array,
  { view, pairing, mode }: { view: DefenderView; pairing: Pairing; mode: Mode },
): Tensor {
  const shown = cat([pairing.own, pairing.counterpart].map((draws) => view.images.images(indices, draws)))
  const outputs = confounder.forward(shown, mode)
  return outputs.narrow(0, 0, indices.length).sub(outputs.narrow(0, indices.length, indices.length))
}

function pairingOf({ images, random, recipe }: DefenderView, stream: string): Pairing {
  const [, height, width] = images.shape
  return drawPairing(random.fork(`counterparts ${stream}`), images.count, {
    ...{ size: [height, width], mirror: recipe.augmentation.flip },
  })
}
