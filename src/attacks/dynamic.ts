import { z } from 'zod'
import { UserError } from '../errors.ts'
import { adam } from '../nn/adam.ts'
import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { type Module, moveTo, stateOf } from '../nn/module.ts'
import { stepTogether } from '../nn/optimizer.ts'
import { cosine } from '../nn/schedule.ts'
import { scope } from '../tensor/scope.ts'
import { cat, noGrad, type Tensor, tensor, zeros } from '../tensor/tensor.ts'
import { subset } from '../training/images.ts'
import { optimizerOf } from '../training/optimizer-of.ts'
import type { TrainingContext } from '../training/training-context.ts'
import { defineAttack, type Learned } from './attack.ts'
import { type Generator, generator } from './generator.ts'
import { toBytes } from './pixels.ts'

/**
 * Input-aware dynamic backdoor (Nguyen and Tran 2020): every image gets a trigger of its own, x + (p − x)·m, its pattern
 * p drawn by a generator G, its mask m by a network M; another image's trigger must not work. First M is trained alone,
 * then G together with a classifier of the attacker's. Both are then frozen and poison a fixed list of images.
 *
 * Gradients of G are cleared at every step, which the authors' published code omits. The classifier follows the run's
 * schedule and the rates of G and M fall as a cosine, so that a short training settles; the authors train at 0.01 for hundreds of epochs.
 *
 * | paper | here |
 * |---|---|
 * | G, M | pattern, mask |
 * | ρ_b, ρ_c | share: of each batch triggered, and as much with another image's trigger and the true label |
 * | λ_norm, the mask's density | maskWeight, density |
 */
export const dynamic = defineAttack({
  title: 'Input-aware dynamic',
  paper: 'https://arxiv.org/abs/2010.08138',
  labels: 'dirty',
  options: z.object({
    epochs: z.int().min(1).default(20).describe('of training the generator with a classifier'),
    maskEpochs: z.int().min(1).default(5).describe('of training the mask network'),
    maskImages: z.int().min(0).default(10_000).describe('so many images train the mask network; 0: all'),
    share: z
      .number()
      .positive()
      .max(0.33)
      .default(0.1)
      .describe('of each batch that is triggered, and cross-triggered'),
    density: z.number().min(0).max(1).default(0.032).describe('share of an image that its mask may cover at no cost'),
    maskWeight: z.number().min(0).default(100).describe('weight of the mask beyond its density'),
  }),
  async craft(options, view) {
    const { train, random, compute } = view
    const label = (y: number) => view.label(y) ?? refuseUntargeted()
    const [, height, width] = train.shape
    if (Math.min(height, width) < 16) {
      throw new UserError(
        'usage',
        `Cannot draw triggers on images of ${height}×${width}: the generator needs 16 pixels; choose larger images`,
      )
    }
    const inputs = train.shape[0]
    const networks: Networks = {
      pattern: moveTo(generator(random.fork('pattern'), { inputs, outputs: inputs, compute }), compute.device),
      mask: moveTo(generator(random.fork('mask'), { inputs, outputs: 1, compute }), compute.device),
    }
    const learned = await view.learned([], async (open) => {
      const part = options.maskImages > 0 ? Math.min(options.maskImages, train.labels.length) : train.labels.length
      await trainMask(
        open(
          subset(
            train,
            Int32Array.from({ length: part }, (_, i) => i),
          ),
        ),
        networks.mask,
        options,
      )
      const training = open(train)
      const classifier = await trainPattern(training, networks, { ...options, label })
      const report = assess(training, networks, { classifier, label })
      return { tensors: tensorsOf(networks), report }
    })
    restore(networks, learned.tensors)
    return { trigger: (images) => paint(images, networks, compute.device), label }
  },
})

/** The generator's loss asks for a class: that of a triggered image. */
function refuseUntargeted(): never {
  const facts = 'its generator is trained to have an image taken for one class'
  throw new UserError('usage', `Cannot label untargeted with attack 'dynamic': ${facts}; choose another labelling`)
}

interface Networks {
  readonly pattern: Generator
  readonly mask: Generator
}

const epsilon = 1e-7
const adamOptions = { beta1: 0.5, beta2: 0.9 }
const rate = 0.01

/** m from M's output: nearly 0 or 1. */
const threshold = (raw: Tensor) => raw.mul(20).sub(10).tanh().div(2).add(0.5)

/** Root mean square difference of pairs, [batch]. */
const distance = (a: Tensor, b: Tensor) =>
  a
    .sub(b)
    .square()
    .mean([1, 2, 3])
    .add(epsilon ** 2)
    .sqrt()

/** mean d_x / (d + ε): large where different images get the same. */
const sameness = (x: Tensor, other: Tensor, y: Tensor, otherY: Tensor) =>
  distance(x, other).div(distance(y, otherY).add(epsilon)).mean()

/** Stage 1: sparse masks, different for different images; 100·mean relu(m − 0.032) + mean d_x / (d_m + ε). */
async function trainMask(
  { stage, recipe }: TrainingContext,
  mask: Generator,
  { maskEpochs, density, maskWeight }: { maskEpochs: number; density: number; maskWeight: number },
): Promise<void> {
  const optimizer = adam(mask.parameters, adamOptions)
  const schedule = cosine(rate)
  const state = { mask: stateOf(mask), optimizer }
  const augmentation = { ...recipe.augmentation, cutout: 0 }
  for await (const { images, step, steps, report } of stage('mask', {
    ...recipe,
    epochs: maskEpochs,
    augmentation,
    state,
  })) {
    scope(() => {
      const m = threshold(mask.forward(images, 'train'))
      const [x, other] = [images.sub(0.5).div(0.25), images.roll(1, 0).sub(0.5).div(0.25)]
      const excess = m.sub(density).relu().mean()
      const loss = excess.mul(maskWeight).add(sameness(x, other, m, m.roll(1, 0)))
      report({ loss: optimizer.step(loss, schedule(step, steps)), density: m.mean() })
    })
  }
}

/** Stage 2: a classifier that obeys each image's own trigger and no other's, and patterns that differ: CE + mean d_x / (d_p + ε). */
async function trainPattern(
  { stage, recipe, model }: TrainingContext,
  { pattern, mask }: Networks,
  { epochs, share, label }: { epochs: number; share: number; label: (y: number) => number },
): Promise<Classifier> {
  const classifier = model('surrogate')
  const optimizer = optimizerOf(recipe, classifier.parameters, { sgd: { momentum: 0.9, weightDecay: 5e-4 } })
  const patternOptimizer = adam(pattern.parameters, adamOptions)
  const state = { classifier: stateOf(classifier), optimizer, pattern: stateOf(pattern), patternOptimizer }
  const patternSchedule = cosine(rate)
  const augmentation = { ...recipe.augmentation, cutout: 0 }
  for await (const { images, labels, step, steps, report } of stage('pattern', {
    ...recipe,
    epochs,
    augmentation,
    state,
  })) {
    scope(() => {
      const count = images.size(0)
      const n = Math.min(Math.max(1, Math.round(share * count)), Math.floor(count / 3))
      if (n === 0) return
      const [own, crossed, other] = [0, 1, 2].map((k) => images.narrow(0, k * n, n)) as [Tensor, Tensor, Tensor]
      const both = cat([own, other]) // one pass of G for its own images and for those whose triggers are crossed
      const patterns = pattern.forward(both, 'train')
      const masks = noGrad(() => threshold(mask.forward(both, 'eval')))
      const [p, q] = [patterns.narrow(0, 0, n), patterns.narrow(0, n, n)]
      const [m, k] = [masks.narrow(0, 0, n), masks.narrow(0, n, n)]
      const triggered = own.add(p.sub(own).mul(m)) // x + (p − x)·m
      const crossTriggered = crossed.add(q.sub(crossed).mul(k))
      const seen = cat([triggered, crossTriggered, images.narrow(0, 2 * n, count - 2 * n)])
      const wanted = relabel(labels.narrow(0, 0, n), label)
      const given = cat([wanted, labels.narrow(0, n, count - n)])

      const { logits } = classifier.forward(seen, 'train')
      const loss = crossEntropy(logits, given).add(sameness(own, other, p, q))
      const value = stepTogether(loss, [
        [optimizer, recipe.schedule(step, steps)],
        [patternOptimizer, patternSchedule(step, steps)],
      ])
      report({
        loss: value,
        accuracy: accuracy(logits, given),
        success: accuracy(logits.narrow(0, 0, n), wanted),
        crossed: accuracy(logits.narrow(0, n, n), labels.narrow(0, n, n)),
      })
    })
  }
  return classifier
}

/** The classes that images of these shall be taken for, int64. */
const relabel = (labels: Tensor, label: (y: number) => number) =>
  tensor(Int32Array.from(labels.numbers(), label), labels.shape, 'int64').to({ device: labels.device })

/**
 * What the attack says of itself, on up to 2,000 of its own images: success with an image's own trigger, accuracy under
 * another's (below 0.75 the triggers are not yet each image's own), how far patterns of different images are apart (root
 * mean square, pixels in [0, 1]), and the share of an image that its mask covers.
 */
function assess(
  { images }: TrainingContext,
  networks: Networks,
  { classifier, label }: { classifier: Classifier; label: (y: number) => number },
): Record<string, number> {
  const count = Math.min(2000, images.count)
  const sums = { counted: 0, success: 0, crossed: 0, apart: 0, density: 0 }
  for (let from = 0; from < count; from += 100) {
    const indices = Int32Array.from({ length: Math.min(100, count - from) }, (_, i) => from + i)
    scope(() =>
      noGrad(() => {
        const x = images.images(indices)
        const y = images.labelsOf(indices)
        const wanted = relabel(y, label)
        const [p, m] = draw(x, networks)
        const foreign = y.ne(wanted).to({ dtype: 'float32' })
        const says = (seen: Tensor) => classifier.forward(seen, 'eval', 'fp32').logits.argmax(1)
        const right = (said: Tensor, meant: Tensor) => said.eq(meant).to({ dtype: 'float32' })
        const [q, k] = [p.roll(1, 0), m.roll(1, 0)]
        sums.counted += foreign.sum().item()
        sums.success += right(says(x.add(p.sub(x).mul(m))), wanted)
          .mul(foreign)
          .sum()
          .item()
        sums.crossed += right(says(x.add(q.sub(x).mul(k))), y)
          .sum()
          .item()
        sums.apart += distance(p, q).sum().item()
        sums.density += m.mean().item() * indices.length
      }),
    )
  }
  return {
    surrogateSuccess: sums.success / Math.max(1, sums.counted),
    crossAccuracy: sums.crossed / count,
    patternDistance: sums.apart / count,
    maskDensity: sums.density / count,
  }
}

/** Pattern and mask of each image, as they are at test time. */
function draw(x: Tensor, { pattern, mask }: Networks): [Tensor, Tensor] {
  return scope(() => [pattern.forward(x, 'eval', 'fp32'), threshold(mask.forward(x, 'eval', 'fp32'))])
}

/**
 * Bytes with each image's own trigger. Always so many images at a time, the last ones filled up with empty ones: then a
 * picture does not depend on its batch, not even in rounding, and a large image needs no more memory than many small ones.
 */
function paint(images: Tensor, networks: Networks, device: string): Tensor {
  const [count, ...shape] = images.shape as [number, number, number, number]
  const atOnce = Math.max(1, Math.floor((32 * 32 * 32) / (shape[1] * shape[2])))
  const starts = Array.from({ length: Math.ceil(count / atOnce) }, (_, i) => i * atOnce)
  return scope(() =>
    cat(
      starts.map((from) =>
        scope(() =>
          noGrad(() => {
            const part = images.narrow(0, from, Math.min(atOnce, count - from))
            const filling = zeros([atOnce - part.size(0), ...shape], { dtype: 'uint8' })
            const x = cat([part, filling]).to({ dtype: 'float32', device }).div(255)
            const [p, m] = draw(x, networks)
            const painted = toBytes(x.add(p.sub(x).mul(m)).mul(255)).to({ device: 'cpu' })
            return painted.narrow(0, 0, part.size(0)).clone()
          }),
        ),
      ),
    ),
  )
}

function tensorsOf({ pattern, mask }: Networks): Record<string, Tensor> {
  const named = (name: string, module: Module) =>
    Object.entries(stateOf(module).tensors).map(([key, value]) => [`${name}.${key}`, value] as const)
  return Object.fromEntries([...named('pattern', pattern), ...named('mask', mask)])
}

/** Puts learned weights into the networks; they may be the very same tensors. */
function restore(networks: Networks, learned: Learned['tensors']): void {
  for (const [name, value] of Object.entries(tensorsOf(networks))) {
    noGrad(() => value.copy_(learned[name] as Tensor))
  }
}
