import { adam } from '../../nn/adam.ts'
import { dropout } from '../../nn/dropout.ts'
import { linear } from '../../nn/linear.ts'
import { join, type Mode, type Module, moveTo, type Stateful, stateOf } from '../../nn/module.ts'
import { spectralNorm } from '../../nn/spectral-norm.ts'
import type { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import { cat, full, noGrad, type Tensor, tensor } from '../../tensor/tensor.ts'
import type { Batch } from '../../training/stage.ts'
import type { Recipe } from '../../training/training-context.ts'
import type { DefenderView } from '../defense.ts'

// L_adv of Eq. 7, which makes the model's embedding z independent of the confounder's embedding r. A critic D learns to
// tell pairs (z, r) of the same image from pairs of different images, and the model learns that D cannot.

/** Eq. 7 during the training of the model. */
export interface Independence {
  /** what learns here, for checkpoints */
  readonly state: Readonly<Record<string, Stateful>>
  /** Before an epoch of the model: a pass of the critic's own, where the critic has one. */
  beforeEpoch(epoch: number): Promise<void>
  /** L_adv of embeddings z and r, [batch, width] each; trains the critic first, where the critic learns with the model. */
  term(z: Tensor, r: Tensor, at: { readonly step: number }): Tensor
}

/** What a critic's own pass over the images needs: the embeddings z (detached) and r of a batch. */
export type Embeddings = (batch: Batch) => { readonly z: Tensor; readonly r: Tensor }

interface Circumstances {
  readonly view: DefenderView
  readonly embeddingWidth: number
  readonly rate: number
}

/**
 * The paper's critic: linear, leaky ReLU, linear, with spectral normalization (Miyato 2018), one Adam step per step of the
 * model. Partners of samples of p(z)p(r) are shuffled within the batch.
 */
export function spectralCritic({ view, embeddingWidth, rate }: Circumstances): Independence {
  const critic = makeCritic('spectral', 2 * embeddingWidth, view)
  const optimizer = adam(critic.parameters)
  return {
    state: { critic: stateOf(critic), criticOptimizer: optimizer },
    beforeEpoch: async () => {},
    term(z, r, { step }) {
      const random = view.random.fork(`critic ${step}`)
      const others = r.indexSelect(0, places(random.permutation(z.size(0)), z.device))
      const pairs = (z: Tensor, mode: Mode) => dependence(critic, { z, r, others, mode, random })
      scope(() => optimizer.step(pairs(z.detach(), 'train').neg(), rate)) // max over D
      return pairs(z, 'eval')
    },
  }
}

/**
 * The critic of the authors' released code: dropout of 0.2 before each layer, always on. At the start of every epoch of
 * the model the critic learns in a pass of its own over the images, the model in training mode. After each step every
 * weight and bias is divided by √σ, so that σ = 1 is the fixed point. The partner of z is the r of the image before it
 * in the batch. λ scales the critic's own loss as well. The rate falls to a tenth with every fifth of the training.
 */
export function releasedCritic(
  { view, embeddingWidth, rate }: Circumstances,
  {
    recipe,
    model,
    stage,
    embeddings,
    adversarial,
  }: { recipe: Recipe; model: Module; stage: string; embeddings: Embeddings; adversarial: number },
): Independence {
  const critic = makeCritic('dropout', 2 * embeddingWidth, view)
  const optimizer = adam(critic.parameters)
  const state = { critic: stateOf(critic), criticOptimizer: optimizer }
  const pairs = (z: Tensor, r: Tensor, random: Random) => {
    const before = Int32Array.from({ length: z.size(0) }, (_, i) => (i + z.size(0) - 1) % z.size(0))
    const others = r.indexSelect(0, places(before, z.device))
    return dependence(critic, { z, r, others, mode: 'train', random })
  }
  return {
    state,
    async beforeEpoch(epoch) {
      const decayed = rate * 0.1 ** Math.floor((epoch + 1) / (recipe.epochs / 5)) // their scheduler steps before it is used
      // The pass moves the running statistics of the model's batch norms too.
      const brief = { ...recipe, epochs: 1, state: { ...state, model: stateOf(model) } }
      for await (const batch of view.stage(`${stage}-critic-${epoch}`, brief)) {
        scope(() => {
          const { z, r } = embeddings(batch)
          const random = view.random.fork(`critic pass ${epoch} ${batch.step}`)
          const loss = optimizer.step(pairs(z, r, random).mul(-adversarial), decayed)
          noGrad(() => Object.values(critic.parameters).forEach(divideByRootOfNorm))
          batch.report({ loss, accuracy: 0 })
        })
      }
    },
    term: (z, r, { step }) => pairs(z, r, view.random.fork(`critic ${step}`)),
  }
}

/** A critic D of pairs (z, r), [batch, width] each, giving [batch, 1]. */
export interface Critic extends Module {
  forward(z: Tensor, r: Tensor, mode: Mode, random: Random): Tensor
}

interface Pairs {
  readonly z: Tensor
  readonly r: Tensor
  /** the embeddings r of other images, [batch, width] */
  readonly others: Tensor
  readonly mode: Mode
  readonly random: Random
}

/** Eq. 7: E D(z, r) over pairs of the same image minus E D(z, r′) over pairs of different images. */
export function dependence(critic: Critic, { z, r, others, mode, random }: Pairs): Tensor {
  const joint = critic.forward(z, r, mode, random.fork('joint')).mean()
  const marginal = critic.forward(z, others, mode, random.fork('marginal')).mean()
  return joint.sub(marginal)
}

/** Two linear layers with leaky ReLU; kept smooth by spectral normalization or by dropout. */
export function makeCritic(
  form: 'spectral' | 'dropout',
  inputs: number,
  view: Pick<DefenderView, 'random' | 'compute'>,
): Critic {
  const random = view.random.fork('critic')
  const hidden = linear(random, { from: inputs, to: inputs / 2 })
  const output = linear(random, { from: inputs / 2, to: 1 })
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

/** W ← W / √σ with σ the largest singular value by five power iterations from ones; a bias [n] counts as [n, 1]. */
function divideByRootOfNorm(weight: Tensor): void {
  scope(() => {
    const matrix = weight.shape.length === 1 ? weight.unsqueeze(1) : weight
    let right = full([matrix.size(1)], 1).to({ device: weight.device })
    let left = matrix.matmul(right)
    for (let iteration = 0; iteration < 5; iteration++) {
      left = matrix.matmul(right)
      left = left.div(left.norm())
      right = left.matmul(matrix)
      right = right.div(right.norm())
    }
    weight.copy_(weight.div(left.matmul(matrix.matmul(right)).sqrt()))
  })
}

const places = (order: Int32Array, device: string) => tensor(order, [order.length], 'int64').to({ device })
