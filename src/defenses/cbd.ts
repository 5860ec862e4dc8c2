import { z } from 'zod'
import { adam } from '../nn/adam.ts'
import { dropout } from '../nn/dropout.ts'
import { linear } from '../nn/linear.ts'
import { accuracy, crossEntropyEach } from '../nn/losses.ts'
import { join, type Mode, type Module, moveTo, stateOf } from '../nn/module.ts'
import { sgd } from '../nn/sgd.ts'
import { spectralNorm } from '../nn/spectral-norm.ts'
import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { cat, noGrad, type Tensor, tensor } from '../tensor/tensor.ts'
import { otsuThreshold } from '../training/otsu.ts'
import { perSample } from '../training/per-sample.ts'
import { scoreEach } from '../training/predict.ts'
import { type DefenderView, defineDefense } from './defense.ts'

/**
 * Causality-inspired Backdoor Defense (Zhang et al., "Backdoor Defense via Deconfounded Representation Learning", CVPR
 * 2023). A first network, trained briefly, learns the trigger before anything else. A second one is trained to be right
 * where the first is wrong, and to have an embedding that is independent of the first's. Only the second is used.
 *
 * | paper | here |
 * |---|---|
 * | f_B, r, T1 | confounder, its embedding, confounderEpochs |
 * | f_C, z, T2 | model, its embedding, the run's epochs |
 * | w(x) | deconfoundingWeights |
 * | D | critic |
 * | β | bottleneck |
 */
export const cbd = defineDefense({
  title: 'CBD',
  paper: 'https://arxiv.org/abs/2303.06818',
  assumes: 'nothing',
  options: z.object({
    confounderEpochs: z.int().min(1).default(5).describe('epochs of the confounder, T1 (the paper searches 3, 5, 8)'),
    bottleneck: z.number().min(0).default(1e-4).describe('weight of the mean squared length of the embedding, β'),
    adversarial: z.number().min(0).default(1).describe('weight of the independence term L_adv'),
    weights: z
      .enum(['as-is', 'mean-one'])
      .default('as-is')
      .describe('sample weights of Eq. 6 as they are, or divided by their mean over the batch'),
    critic: z
      .enum(['spectral', 'dropout'])
      .default('spectral')
      .describe('the critic: spectral normalization, or dropout of 0.2'),
    criticRate: z.number().positive().default(1e-3).describe("the critic's learning rate"),
    criticDecayEpochs: z
      .int()
      .min(0)
      .default(0)
      .describe("epochs after which the critic's learning rate falls to a tenth, again and again; 0: never"),
    marginals: z
      .enum(['shuffle', 'shift'])
      .default('shuffle')
      .describe('samples of p(z)p(r): partners shuffled, or shifted by one'),
    batch: z.int().min(2).optional().describe("images per step (default: the run's)"),
    nesterov: z.boolean().optional().describe("Nesterov momentum (default: the run's)"),
    cutout: z.int().min(0).optional().describe("side of the cutout (default: the run's)"),
    normalized: z.boolean().default(true).describe('whether the networks normalize their input'),
  }),
  presets: {
    paper: {},
    balanced: { weights: 'mean-one', adversarial: 0.01 }, // learns several times faster than `paper`: see docs/log.md
    released: {
      ...{
        bottleneck: 0,
        adversarial: 0.01,
        weights: 'mean-one',
        critic: 'dropout',
        criticRate: 0.2,
        criticDecayEpochs: 20,
      },
      ...{ marginals: 'shift', batch: 64, nesterov: true, cutout: 2, normalized: false },
    },
  },
  async train(options, view) {
    const recipe = {
      ...view.recipe,
      batch: options.batch ?? view.recipe.batch,
      nesterov: options.nesterov ?? view.recipe.nesterov,
      augmentation: { ...view.recipe.augmentation, cutout: options.cutout ?? view.recipe.augmentation.cutout },
    }
    const { normalized } = options

    const confounder = view.model('confounder', { normalized })
    const confounderOptimizer = sgd(confounder.parameters, recipe)
    const seen = perSample(view.images.count)
    const first = { confounder: stateOf(confounder), confounderOptimizer, seen }
    const brief = { ...recipe, epochs: options.confounderEpochs, state: first }
    for await (const { images, labels, indices, epoch, last, report } of view.stage('confounder', brief)) {
      scope(() => {
        const { logits } = confounder.forward(images, 'train')
        const losses = crossEntropyEach(logits, labels)
        seen.set(indices, losses)
        report({ loss: confounderOptimizer.step(losses.mean(), recipe.rate), accuracy: accuracy(logits, labels) })
      })
      if (last) view.trace('confounder loss', epoch, seen.read())
    }

    const model = view.model('model', { normalized })
    const optimizer = sgd(model.parameters, recipe)
    const critic = makeCritic(options.critic, 2 * model.embeddingWidth, view)
    const criticOptimizer = adam(critic.parameters)
    const given = perSample(view.images.count)
    const state = { model: stateOf(model), optimizer, critic: stateOf(critic), criticOptimizer, given }
    for await (const { images, labels, indices, epoch, step, steps, last, report } of view.stage('model', {
      ...recipe,
      state,
    })) {
      scope(() => {
        const confounded = noGrad(() => confounder.forward(images, 'eval'))
        const { logits, embedding } = model.forward(images, 'train')
        const random = view.random.fork(`critic ${step}`)
        const shuffle = partners(options.marginals, indices.length, random, view.compute.device)

        const criticRate =
          options.criticRate * (options.criticDecayEpochs ? 0.1 ** Math.floor(epoch / options.criticDecayEpochs) : 1)
        const distance = dependence(critic, 'train', embedding.detach(), confounded.embedding, shuffle, random)
        criticOptimizer.step(distance.neg(), criticRate) // max over D in Eq. 7

        const losses = crossEntropyEach(logits, labels)
        const weights = deconfoundingWeights(crossEntropyEach(confounded.logits, labels), losses.detach()) // Eq. 6
        given.set(indices, weights)
        const weighted = (options.weights === 'mean-one' ? weights.div(weights.mean()) : weights).mul(losses).mean() // L_wce
        const adversarial = dependence(critic, 'eval', embedding, confounded.embedding, shuffle, random) // L_adv, Eq. 7
        const length = embedding.square().sum([1]).mean() // ‖z‖²
        const loss = weighted.add(adversarial.mul(options.adversarial)).add(length.mul(options.bottleneck)) // Eq. 8
        report({
          loss: optimizer.step(loss, recipe.schedule(step, steps)),
          accuracy: accuracy(logits, labels),
          weight: weights.mean().item(),
        })
      })
      if (last) view.trace('weight', epoch, given.read())
    }

    // What the confounder learned before anything else is what a trigger teaches: the lower its loss, the more suspicious.
    const score = await scoreEach(confounder, view.images, ({ logits }, labels) =>
      crossEntropyEach(logits, labels).clamp(1e-12, null).log().neg(),
    )
    return { classifier: model, suspicion: { score, threshold: otsuThreshold(score) } }
  },
})

/** Eq. 6: ℓ_B / (ℓ_B + ℓ_C) of each sample, in [0, 1] for any losses; ½ where both are 0. */
export function deconfoundingWeights(confounderLosses: Tensor, losses: Tensor): Tensor {
  const confounded = finite(confounderLosses)
  return confounded.div(confounded.add(finite(losses)))
}

/** Losses within (0, 10^9]: what is not a number counts as 0. */
const finite = (losses: Tensor) => losses.nanToNum(0).clamp(1e-12, 1e9)

/** A critic D of pairs (z, r), [batch, width] each, giving [batch, 1]. */
export interface Critic extends Module {
  forward(z: Tensor, r: Tensor, mode: Mode, random: Random): Tensor
}

/** Eq. 7: E D(z, r) over the batch's own pairs minus E D(z, r′) with partners exchanged. */
export function dependence(critic: Critic, mode: Mode, z: Tensor, r: Tensor, shuffle: Tensor, random: Random): Tensor {
  const joint = critic.forward(z, r, mode, random.fork('joint')).mean()
  const marginal = critic.forward(z, r.indexSelect(0, shuffle), mode, random.fork('marginal')).mean()
  return joint.sub(marginal)
}

/** Whose confounder embedding stands in for one's own in samples of p(z)p(r): int64 [batch]. */
function partners(how: 'shuffle' | 'shift', batch: number, random: Random, device: string): Tensor {
  const order =
    how === 'shuffle' ? random.permutation(batch) : Int32Array.from({ length: batch }, (_, i) => (i + 1) % batch)
  return tensor(order, [batch], 'int64').to({ device })
}

/** Two linear layers with leaky ReLU; kept smooth by spectral normalization (Miyato 2018) or by dropout. */
export function makeCritic(
  form: 'spectral' | 'dropout',
  inputs: number,
  view: Pick<DefenderView, 'random' | 'compute'>,
): Critic {
  const random = view.random.fork('critic')
  const hidden = linear(random, { from: inputs, to: 64 })
  const output = linear(random, { from: 64, to: 1 })
  const [first, second] =
    form === 'spectral' ? [spectralNorm(random, hidden), spectralNorm(random, output)] : [hidden, output]
  const share = form === 'dropout' ? 0.2 : 0
  return moveTo(
    {
      ...join({ hidden: first, output: second }),
      forward(z: Tensor, r: Tensor, mode: Mode, draws: Random) {
        const drop = (x: Tensor) => (mode === 'train' ? dropout(x, share, draws) : x)
        return second.forward(drop(first.forward(drop(cat([z, r], 1)), mode).leakyRelu(0.01)), mode)
      },
    },
    view.compute.device,
  )
}
