import { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import { accuracy } from '../nn/losses.ts'
import { copyWeights, stateOf } from '../nn/module.ts'
import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { noGrad, operator, type Tensor, tensor } from '../tensor/tensor.ts'
import { noAugmentation } from '../training/augment.ts'
import { flag } from '../training/flag.ts'
import { learnLabels, supervisedStep } from '../training/learn-labels.ts'
import { inOrder, part } from '../training/loader.ts'
import { optimizerOf } from '../training/optimizer-of.ts'
import { accuracyOn } from '../training/predict.ts'
import { isolate } from '../training/suspicion.ts'
import { type DefenderView, defineDefense } from './defense.ts'

const affineGrid = operator('affine_grid_generator')
const gridSample = operator('grid_sampler_2d')
/** libtorch's numbers: the nearest pixel, and black beyond the border. */
const [nearest, zeros] = [1, 0]

/**
 * D-BR (Chen et al. 2022): the embedding of a poisoned image changes more than that of a clean one when the image is
 * turned and moved, for the trigger no longer works. A first network, briefly trained without augmentation, and then so
 * that the classes' centers part, tells how much each image's embedding changes. The backdoored model is repaired by
 * turns: it unlearns the images that change most and learns again those that change least.
 *
 * An image is turned by up to 180° and moved by up to a fifth of its size, as the authors do, but in one sampling of the
 * nearest pixels for a whole batch, so that less of a corner is lost on the way. The authors choose the epoch by the test
 * images, triggered ones among them; here it is the last one, and unlearning ends for good where it costs too much.
 *
 * | paper | here |
 * |---|---|
 * | Δ_trans(x; τ, f) | featureChange |
 * | α_c, α_p | stable, sensitive |
 * | L_intra | centerSimilarity |
 */
export const dBr = defineDefense({
  title: 'D-BR, unlearning the sensitive and relearning the stable',
  paper: 'https://openreview.net/forum?id=AsH-Tx2U0Ug',
  assumes: 'nothing',
  stages: {
    backdoored: 'training without defense',
    first: 'learning features',
    spread: 'parting the classes',
    model: 'repairing the model',
    unlearning: 'repairing the model',
  },
  options: z.object({
    firstEpochs: z.int().min(1).default(2).describe('of the first network, by which images are distinguished'),
    spreadEpochs: z.int().min(0).default(10).describe("of parting the classes' centers in it"),
    firstRate: z.number().positive().default(0.01).describe('the learning rate of both'),
    stable: z.number().positive().max(0.5).default(0.2).describe('share of the images that counts as clean, α_c'),
    sensitive: z.number().positive().max(0.5).default(0.05).describe('share that counts as poisoned, α_p'),
    epochs: z.int().min(1).default(20).describe('of unlearning the one and relearning the other, by turns'),
    rate: z.number().positive().default(1e-4).describe('the learning rate of both'),
    mayLose: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe('unlearning ends where the accuracy on the images that count as clean has fallen by this share'),
  }),
  presets: { paper: {}, quick: { spreadEpochs: 5 } }, // the turns are short, and with half of them nothing is unlearned
  async train(options, view) {
    const model = await view.backdoored() // first, for it may have to wait for another process
    const score = await featureChange(await firstNetwork(options, view), view)
    const { isolated: suspicious, threshold } = isolate(score, options.sensitive)
    const { isolated: clean } = isolate(
      score.map((change) => -change),
      options.stable,
    )
    return {
      classifier: await repair(model, view, { ...options, suspicious, clean }),
      suspicion: { score, threshold, verdict: 'not-judged' },
    }
  },
})

/** SGD's settings; both trainings have rates of their own. */
const own = { sgd: { momentum: 0.9, weightDecay: 5e-4 }, ownRates: true }

/** A network that has learned the trigger and little else, in which the classes lie apart. */
async function firstNetwork(
  { firstEpochs, spreadEpochs, firstRate }: { firstEpochs: number; spreadEpochs: number; firstRate: number },
  view: DefenderView,
): Promise<Classifier> {
  const { recipe } = view
  const network = view.model('first')
  const optimizer = optimizerOf(recipe, network.parameters, own)
  const unchanged = { augmentation: noAugmentation }
  const rate = () => firstRate
  await learnLabels(view, { name: 'first', model: network, optimizer, ...unchanged, epochs: firstEpochs, rate })
  const spreading = { ...recipe, ...unchanged, epochs: spreadEpochs, state: { network: stateOf(network), optimizer } }
  for await (const { images, labels, indices, report } of view.stage('spread', spreading)) {
    scope(() => {
      const { logits, embedding } = network.forward(images, 'train')
      const given = indices.map((i) => view.images.labels[i] as number)
      const similarity = centerSimilarity(embedding, given) // L_intra
      const loss = similarity.add(logits.sum().mul(0)) // the last layer has no other part in it
      report({ loss: optimizer.step(loss, firstRate), accuracy: accuracy(logits, labels) })
    })
  }
  return network
}

/** Mean cosine between the centers of a batch's classes, a class with itself counting 0; embeddings [batch, width]. */
export function centerSimilarity(embedding: Tensor, labels: Int32Array): Tensor {
  const present = [...new Set(labels)].sort((a, b) => a - b)
  const share = present.flatMap((label) => {
    const count = labels.filter((each) => each === label).length
    return Array.from(labels, (each) => (each === label ? 1 / count : 0))
  })
  const { device } = embedding
  const centers = tensor(share, [present.length, labels.length]).to({ device }).matmul(embedding)
  const directions = centers.div(centers.square().sum([1], true).add(1e-12).sqrt())
  const others = Float32Array.from({ length: present.length ** 2 }, (_, i) => (i % (present.length + 1) === 0 ? 0 : 1))
  const apart = tensor(others, [present.length, present.length]).to({ device })
  return directions.matmul(directions.transpose(0, 1)).mul(apart).mean()
}

/** Δ_trans: mean squared difference between the embeddings of each image as it is and turned and moved at random. */
async function featureChange(
  network: Classifier,
  { images, random, pause }: Pick<DefenderView, 'images' | 'random' | 'pause'>,
): Promise<Float32Array> {
  const moves = drawMoves(random.fork('moves'), images.count)
  const changes = new Float32Array(images.count)
  let at = 0
  for (const indices of inOrder(images.count, 256)) {
    scope(() =>
      noGrad(() => {
        const plain = images.images(indices)
        const moved = move(plain, moves.subarray(3 * at, 3 * (at + indices.length)))
        const before = network.forward(plain, 'eval', 'fp32').embedding
        const after = network.forward(moved, 'eval', 'fp32').embedding
        changes.set(before.sub(after).square().mean([1]).to({ dtype: 'float32' }).data() as Float32Array, at)
      }),
    )
    at += indices.length
    await pause()
  }
  return changes
}

/** Of each image an angle in (−π, π), and how far it is moved right and down, in (−0.2, 0.2) of its size. */
function drawMoves(random: Random, count: number): Float64Array {
  return Float64Array.from({ length: 3 * count }, (_, i) => (2 * random.uniform() - 1) * (i % 3 === 0 ? Math.PI : 0.2))
}

/** Images [batch, channels, height, width] turned counterclockwise and then moved, black where they were not; `moves` as drawn. */
export function move(images: Tensor, moves: Float64Array): Tensor {
  const { shape, device } = images
  const [batch, , height, width] = shape as [number, number, number, number]
  const ratio = height / width
  // Where a pixel comes from, in coordinates from −1 to 1 along each side: R(p − t).
  const rows = Array.from({ length: batch }, (_, i) => {
    const [angle, right, down] = moves.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number]
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
    const [x, y] = [2 * right, 2 * down]
    return [cos, -sin * ratio, sin * ratio * y - cos * x, sin / ratio, cos, (-sin / ratio) * x - cos * y]
  })
  const transformations = tensor(rows.flat(), [batch, 2, 3]).to({ device })
  return gridSample(images, affineGrid(transformations, shape, false), nearest, zeros, false)
}

interface Repairing {
  readonly suspicious: Int32Array
  readonly clean: Int32Array
  readonly epochs: number
  readonly rate: number
  readonly mayLose: number
}

/** Unlearns and relearns by turns, epoch by epoch; from the last good network on only relearns where unlearning cost too much. */
async function repair(
  model: Classifier,
  view: DefenderView,
  { suspicious, clean, epochs, rate, mayLose }: Repairing,
): Promise<Classifier> {
  const { recipe } = view
  const trusted = part(view.images, clean)
  const enough = (1 - mayLose) * (await accuracyOn(model, trusted))
  const good = view.model('good')
  copyWeights(model, good)
  const optimizer = optimizerOf(recipe, model.parameters, own)
  const ended = flag()
  const state = { model: stateOf(model), good: stateOf(good), optimizer, ended }
  for await (const batch of view.stage('model', { ...recipe, epochs, only: clean, state })) {
    const first = batch.step % (batch.steps / epochs) === 0
    if (first && !ended.value) {
      // A stage within a stage: both restore the same state, and this one's is the newer as long as it goes on.
      const unlearn = { ...recipe, epochs: 1, only: suspicious, asFrequent: true, state }
      const unlearning = view.stage(`unlearning-${batch.epoch}`, unlearn)
      for await (const each of unlearning) supervisedStep({ model, optimizer }, each, { rate, unlearn: true })
    }
    supervisedStep({ model, optimizer }, batch, { rate })
    if (!batch.last || ended.value) continue
    ended.value = (await accuracyOn(model, trusted)) < enough
    if (ended.value) copyWeights(good, model)
    else copyWeights(model, good)
  }
  return model
}
