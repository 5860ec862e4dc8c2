import { z } from 'zod'
import { UserError } from '../errors.ts'
import { adam } from '../nn/adam.ts'
import { type Classifier, splitHead } from '../nn/classifier.ts'
import { linear } from '../nn/linear.ts'
import { accuracy, crossEntropy, oneHot, softCrossEntropy, symmetricCrossEntropyEach } from '../nn/losses.ts'
import { dispose, join, type Mode, type Module, moveTo, stateOf } from '../nn/module.ts'
import { cosine } from '../nn/schedule.ts'
import { scope } from '../tensor/scope.ts'
import { cat, noGrad, type Tensor, tensor } from '../tensor/tensor.ts'
import { argsort } from '../training/argsort.ts'
import { drawAugmentation, noAugmentation } from '../training/augment.ts'
import { optimizerOf } from '../training/optimizer-of.ts'
import { lastMade, passes } from '../training/passes.ts'
import { perSample } from '../training/per-sample.ts'
import { scoreEach } from '../training/predict.ts'
import { neighborAccuracy } from './dbd/knn-accuracy.ts'
import { drawMixing, mix, sharpen } from './dbd/mixmatch.ts'
import { contrast } from './dbd/nt-xent.ts'
import { drawViews, makeViews } from './dbd/simclr-views.ts'
import { type DefenderView, defineDefense } from './defense.ts'

/**
 * Decoupling (Huang et al. 2022): a backdoor ties a trigger to a label because both are learned together. So the backbone
 * is learned from images alone (SimCLR), then a linear head on top of it, frozen, with a loss that wrong labels disturb
 * less. Images that this model fits worst lose their labels, and the whole network is trained on by semi-supervised
 * learning (MixMatch); every epoch splits anew.
 *
 * | paper | here |
 * |---|---|
 * | f_w, f_θ | body, head |
 * | L_SCE | symmetricCrossEntropyEach |
 * | α % | labelled |
 * | MixMatch's T, α, λ_u | sharpening, mixing, consistency |
 *
 * What it costs, in epochs of plain training (a forward and a backward pass of each image, 3 forward passes' work): an
 * epoch of the backbone 2 (two views), of the head 1/3, an iteration of MixMatch 235 images at 64 + 64 (2 · 64 forward,
 * 3 · 64 forward and backward), each split 1/3. On 50,000 images `paper` is about 3,000 epochs, `quick` 39: 24 for the
 * backbone, 3 for the head, 12 for MixMatch. A step of the backbone holds the activations of twice its batch: with WRN-16-1
 * in bf16 the process takes 0.65 GB at 256 images of 32 pixels, 1 GB at 512 (1.45 GB in fp32).
 *
 * Where the paper leaves a choice: the projection is embedding–512–128; the head is trained, and images are scored, with
 * running batch statistics; MixMatch sees crops and mirror images, guesses labels in training mode, mixes each pair by a
 * share of its own, and sends all it mixed through the network as one batch.
 */
export const dbd = defineDefense({
  title: 'Decoupling-based defense',
  paper: 'https://arxiv.org/abs/2202.03423',
  assumes: 'nothing',
  stages: {
    backbone: 'learning from images alone',
    neighbors: 'learning from images alone',
    head: 'learning labels',
    model: 'training the model',
  },
  options: z.object({
    backboneEpochs: z.int().min(1).default(1000).describe('of learning the backbone from images alone'),
    backboneBatch: z.int().min(2).default(512).describe('images per step of it, two views each'),
    backboneRate: z.number().positive().default(0.4).describe('its learning rate, falling as a cosine'),
    temperature: z.number().positive().default(0.5).describe('by which the similarities of views are divided'),
    headEpochs: z.int().min(1).default(10).describe('of the linear head on the frozen backbone'),
    headBatch: z.int().min(2).default(128).describe('images per step of it'),
    epochs: z.int().min(0).default(190).describe('of semi-supervised learning; each splits the images anew'),
    iterations: z.int().min(1).default(1024).describe('steps per epoch of it'),
    batch: z.int().min(1).default(64).describe('labelled images per step, and as many unlabelled ones'),
    labelled: z.number().positive().max(0.99).default(0.5).describe('share of the images that keep their label'),
    sharpening: z.number().positive().max(1).default(0.5).describe('temperature that makes guesses more certain: T'),
    mixing: z.number().min(0.05).max(4).default(0.75).describe('α of Beta(α, α), from which shares of mixtures come'),
    consistency: z
      .number()
      .min(0)
      .default(15)
      .describe('weight of the unlabelled images at the end, rising from 0: λ_u'),
    rate: z.number().positive().default(2e-3).describe('learning rate of the head and of semi-supervised learning'),
  }),
  presets: {
    paper: {},
    quick: { backboneEpochs: 12, backboneBatch: 256, epochs: 10, iterations: 175 },
  },
  async train(options, view) {
    const { recipe, compute } = view
    const { count, shape } = view.images
    if (count < 2)
      throw new UserError('data', `Cannot split ${count} image into labelled and unlabelled ones; give more`)
    const model = view.model('model')
    const { body, head } = splitHead(model)
    const weak = { ...recipe.augmentation, cutout: 0 }

    // The backbone, from images alone.
    const projection = projector(model.embeddingWidth, view)
    const parameters = { ...body, ...join({ projection }).parameters }
    const contrastive = optimizerOf(recipe, parameters, { sgd: { momentum: 0.9, weightDecay: 5e-4 }, ownRates: true })
    const schedule = cosine(options.backboneRate)
    const viewsOf = lastMade((epoch) =>
      ['first', 'second'].map((which) => {
        const random = view.random.fork(`views ${epoch}`).fork(which)
        return drawViews(random, count, { shape, flip: recipe.augmentation.flip })
      }),
    )
    const first = { model: stateOf(model), projection: stateOf(projection), contrastive }
    for await (const { images, indices, epoch, step, steps, report } of view.stage('backbone', {
      epochs: options.backboneEpochs,
      batch: options.backboneBatch,
      augmentation: noAugmentation,
      asFrequent: true, // an image that comes twice in a batch would be told from itself
      state: first,
    })) {
      const draws = viewsOf(epoch)
      scope(() => {
        const views = cat(draws.map((each) => makeViews(images, each, indices)))
        const { embedding } = model.forward(views, 'train')
        const { logits, partners } = contrast(projection.forward(embedding), options.temperature)
        const loss = contrastive.step(crossEntropy(logits, partners), schedule(step, steps)) // NT-Xent
        report({ loss, accuracy: accuracy(logits, partners) }) // the share of views that find their partner
      })
    }
    await reportNeighbors(model, view)

    // The head, on the frozen backbone.
    const headOptimizer = adam(head.parameters)
    const second = { head: stateOf(head), headOptimizer }
    const { headEpochs, headBatch, rate } = options
    for await (const { images, labels, report } of view.stage('head', {
      epochs: headEpochs,
      batch: headBatch,
      augmentation: weak,
      state: second,
    })) {
      scope(() => {
        const logits = head.forward(noGrad(() => model.forward(images, 'eval').embedding))
        const loss = headOptimizer.step(symmetricCrossEntropyEach(logits, labels).mean(), rate) // L_SCE
        report({ loss, accuracy: accuracy(logits, labels) })
      })
    }
    const score = await measureLosses(model, view)

    // The whole network, by MixMatch.
    const { iterations, batch } = options
    const optimizer = adam(model.parameters)
    const losses = perSample(count, compute.device)
    const remember = (values: Float32Array) =>
      scope(() => losses.set(Int32Array.from(values.keys()), tensor(values, [values.length])))
    remember(score)
    const unlabelled = lastMade((epoch) => {
      const draw = (random: typeof view.random) =>
        ['first', 'second'].map((which) => drawAugmentation(random.fork(which), weak, count, [shape[1], shape[2]]))
      const { others } = split(losses.read(), options.labelled)
      return passes(view.random.fork(`unlabelled ${epoch}`), others, { batch, draw })
    })
    const repeated = { batches: iterations, from: () => split(losses.read(), options.labelled).lowest }
    const third = { model: stateOf(model), optimizer, losses }
    for await (const { images, labels, epoch, step, steps, last, report } of view.stage('model', {
      epochs: options.epochs,
      batch,
      augmentation: weak,
      repeated,
      state: third,
    })) {
      const { indices, draws } = unlabelled(epoch).at(step % iterations)
      scope(() => {
        const twice = cat(draws.map((each) => view.images.images(indices, each)))
        const guesses = noGrad(() => {
          const p = model.forward(twice, 'train').logits.softmax(1)
          const mean = p
            .narrow(0, 0, batch)
            .add(p.narrow(0, batch, batch))
            .div(2)
          return sharpen(mean, options.sharpening) // q
        })
        const mixing = drawMixing(view.random.fork(`mixing ${step}`), 3 * batch, {
          alpha: options.mixing,
          device: compute.device,
        })
        const { logits } = model.forward(mix(cat([images, twice]), mixing), 'train')
        const targets = mix(cat([oneHot(labels, view.classes.length), guesses, guesses]), mixing)
        const [mine, theirs] = [logits.narrow(0, 0, batch), logits.narrow(0, batch, 2 * batch)]
        const supervised = softCrossEntropy(mine, targets.narrow(0, 0, batch)) // L_X
        const agreement = theirs
          .softmax(1)
          .sub(targets.narrow(0, batch, 2 * batch))
          .square()
          .mean() // L_U
        const loss = supervised.add(agreement.mul((options.consistency * step) / steps)) // L_X + λ_u·L_U
        report({ loss: optimizer.step(loss, rate), accuracy: accuracy(mine, labels), unlabelled: agreement })
      })
      if (!last) continue
      const now = await measureLosses(model, view)
      remember(now)
      view.trace(
        'minus loss',
        epoch,
        now.map((loss) => -loss),
      ) // low is suspicious, as in every trace
    }
    return {
      classifier: model,
      suspicion: { score, threshold: split(score, options.labelled).threshold, verdict: 'not-judged' },
    }
  },
})

/** embedding–512–128, a ReLU between, for the time of contrastive learning. */
function projector(width: number, { random, compute }: DefenderView): Module & { forward(embedding: Tensor): Tensor } {
  const draws = random.fork('projection')
  const hidden = linear(draws, { from: width, to: 512 })
  const output = linear(draws, { from: 512, to: 128 })
  return moveTo(
    { ...join({ hidden, output }), forward: (embedding: Tensor) => output.forward(hidden.forward(embedding).relu()) },
    compute.device,
  )
}

/**
 * A stage of one step, which reports how many of up to 3,000 images have neighbors of their own label (as given), by
 * the backbone and, as `random`, by the network as it was before it learned. Its `loss` is the share that has not.
 */
async function reportNeighbors(model: Classifier, view: DefenderView): Promise<void> {
  const only = view.random.fork('neighbors').permutation(view.images.count).slice(0, 3000)
  const single = { epochs: 1, batch: only.length, augmentation: noAugmentation, only, asFrequent: true, state: {} }
  for await (const { images, labels, report } of view.stage('neighbors', single)) {
    const share = (network: Classifier, mode: Mode) =>
      scope(() => {
        const parts = Array.from({ length: Math.ceil(only.length / 256) }, (_, i) => {
          const part = images.narrow(0, 256 * i, Math.min(256, only.length - 256 * i))
          return scope(() => noGrad(() => network.forward(part, mode, 'fp32').embedding))
        })
        return neighborAccuracy(cat(parts), labels, { classes: view.classes.length })
      })
    const untrained = view.model('model')
    const random = share(untrained, 'train') // it has no running statistics yet
    dispose(untrained)
    const learned = share(model, 'eval')
    report({ loss: 1 - learned, accuracy: learned, random })
  }
}

/** Symmetric cross entropy of each image, un-augmented. */
function measureLosses(model: Classifier, view: DefenderView): Promise<Float32Array> {
  return scoreEach(model, view.images, ({ logits }, labels) => symmetricCrossEntropyEach(logits, labels))
}

/** The share of images with the lowest losses, the others, at least one of each, and a threshold between them. */
function split(losses: Float32Array, share: number): { lowest: Int32Array; others: Int32Array; threshold: number } {
  const order = argsort(losses)
  const count = Math.min(Math.max(1, Math.round(share * order.length)), order.length - 1)
  const at = (place: number) => losses[order[place] as number] as number
  return {
    lowest: order.slice(0, count).sort(),
    others: order.slice(count).sort(),
    threshold: (at(count - 1) + at(count)) / 2,
  }
}
