import { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropy, crossEntropyEach } from '../nn/losses.ts'
import { stateOf } from '../nn/module.ts'
import { cosine } from '../nn/schedule.ts'
import { sgd } from '../nn/sgd.ts'
import { scope } from '../tensor/scope.ts'
import { cat } from '../tensor/tensor.ts'
import { type Draws, noAugmentation } from '../training/augment.ts'
import { drawPairing, type Pairing } from '../training/counterparts.ts'
import { knockoffThreshold } from '../training/knockoffs.ts'
import { lastMade } from '../training/passes.ts'
import { scoreEach } from '../training/predict.ts'
import { trainPlainly } from '../training/train-plainly.ts'
import { type DefenderView, defineDefense } from './defense.ts'

/**
 * Our own. As in CBD a confounder learns the trigger, but it is kept from learning anything else: every image has a
 * counterpart, its mirror image, which is as natural and shows the same while most triggers are no longer themselves. The
 * confounder f is to know the label of the image and nothing of the counterpart, so that what content teaches is taken
 * back at once: CE(f(x), y) + λ·CE(f(x′), uniform).
 *
 * Without poison an image and its counterpart are exchangeable, so that the differences W = log p(y|x) − log p(y|x′) are
 * positive and negative alike. Images are named whose W is beyond a threshold at which few negative ones are left
 * (knockoffs, Barber and Candès 2015); on clean data there is none. Each half of the images is judged by a confounder that
 * has not seen it, or having seen an image would be a difference too. The model is trained on all images not named.
 */
export const deconfound = defineDefense({
  title: 'Deconfound',
  paper: 'https://arxiv.org/abs/2303.06818',
  assumes: 'nothing',
  options: z.object({
    confounderEpochs: z.int().min(1).default(3).describe('epochs of each confounder, on its half of the images'),
    ignorance: z.number().min(0).default(1).describe('weight of knowing nothing of the counterparts, λ'),
    falseDiscoveries: z
      .number()
      .positive()
      .max(0.5)
      .default(0.05)
      .describe('share of the named images that may be clean, q'),
  }),
  presets: { default: {} },
  async train({ confounderEpochs, ignorance, falseDiscoveries }, view) {
    const { images, recipe } = view
    const order = view.random.fork('halves').permutation(images.count)
    const middle = order.length >> 1
    const halves = [order.slice(0, middle), order.slice(middle)] as const

    const differences = new Float32Array(images.count)
    for (const [k, half] of halves.entries()) {
      const name = `confounder-${k + 1}`
      const confounder = view.model(name)
      const optimizer = sgd(confounder.parameters, { momentum: 0.9, weightDecay: 5e-4 })
      const schedule = cosine(recipe.rate)
      const state = { confounder: stateOf(confounder), optimizer }
      const brief = { ...recipe, epochs: confounderEpochs, augmentation: noAugmentation, only: half, state }
      const pairing = lastMade((epoch) => pairingOf(view, `${name} ${epoch}`))
      for await (const { labels, indices, epoch, step, steps, report } of view.stage(name, brief)) {
        scope(() => {
          const { own, counterpart } = pairing(epoch)
          const shown = cat([own, counterpart].map((draws) => images.images(indices, draws)))
          const { logits } = confounder.forward(shown, 'train')
          const [known, unknown] = [
            logits.narrow(0, 0, indices.length),
            logits.narrow(0, indices.length, indices.length),
          ]
          const fromUniform = unknown.logSoftmax(1).mean().neg()
          const loss = crossEntropy(known, labels).add(fromUniform.mul(ignorance))
          report({ loss: optimizer.step(loss, schedule(step, steps)), accuracy: accuracy(known, labels) })
        })
      }
      const ofAll = await knowledge(confounder, view)
      for (const i of halves[1 - k] as Int32Array) differences[i] = ofAll[i] as number
    }

    const threshold = knockoffThreshold(differences, falseDiscoveries)
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

/** W = log p(y|x) − log p(y|x′) of every image, summed over the ways to be paired. */
async function knowledge(confounder: Classifier, view: DefenderView): Promise<Float32Array> {
  const losses = ({ images }: DefenderView, draws: Draws) =>
    scoreEach(confounder, { ...images, images: (indices) => images.images(indices, draws) }, ({ logits }, labels) =>
      crossEntropyEach(logits, labels),
    )
  const differences = new Float32Array(view.images.count)
  const ways = view.recipe.augmentation.flip ? 1 : 4
  for (let way = 0; way < ways; way++) {
    const { own, counterpart } = pairingOf(view, `judging ${way}`)
    const [known, unknown] = [await losses(view, own), await losses(view, counterpart)]
    for (const [i, loss] of known.entries()) differences[i] = (differences[i] as number) + (unknown[i] as number) - loss
  }
  return differences
}

function pairingOf({ images, random, recipe }: DefenderView, stream: string): Pairing {
  const [, height, width] = images.shape
  return drawPairing(random.fork(`counterparts ${stream}`), images.count, {
    ...{ size: [height, width], mirror: recipe.augmentation.flip },
  })
}
