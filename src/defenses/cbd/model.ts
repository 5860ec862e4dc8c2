import type { Classifier } from '../../nn/classifier.ts'
import { accuracy, crossEntropyEach, oneHot } from '../../nn/losses.ts'
import { stateOf } from '../../nn/module.ts'
import { keep, scope } from '../../tensor/scope.ts'
import { gradients, noGrad, type Tensor, zeros } from '../../tensor/tensor.ts'
import { optimizerOf } from '../../training/optimizer-of.ts'
import { perSample } from '../../training/per-sample.ts'
import type { Recipe } from '../../training/training-context.ts'
import type { DefenderView } from '../defense.ts'
import type { Judge } from './confounder.ts'
import { type Embeddings, type Independence, releasedCritic, spectralCritic } from './critic.ts'
import { deconfoundingWeights, type WeightOptions } from './weights.ts'

export interface ModelOptions extends WeightOptions {
  readonly bottleneck: number
  readonly adversarial: number
  readonly weights: 'mean-one' | 'as-is'
  readonly critic: 'spectral' | 'released'
  readonly criticRate: number
  readonly normalized: boolean
}

/** Trains f_C by Eq. 8, L_wce + λ·L_adv + β·mean ‖z‖², beside the frozen f_B (the second half of Algorithm 1). */
export async function trainModel(
  view: DefenderView,
  recipe: Recipe,
  { judge, stage: name, ...options }: ModelOptions & { judge: Judge; stage: string },
): Promise<Classifier> {
  const { bottleneck, adversarial } = options
  const model = view.model('model', { normalized: options.normalized })
  const optimizer = optimizerOf(recipe, model.parameters)
  const independence =
    adversarial > 0 ? makeIndependence(view, recipe, { ...options, model, stage: name, judge }) : null
  const given = perSample(view.images.count, view.compute.device)
  const state = { model: stateOf(model), optimizer, given, ...independence?.state }
  const strength = watchStrength(view)
  await view.portray('model', 'beginning', model)
  let begun = -1
  for await (const batch of view.stage(name, { ...recipe, state })) {
    const { images, labels, indices, epoch, step, steps, last, report } = batch
    if (epoch > begun && step === epoch * (steps / recipe.epochs)) await independence?.beforeEpoch(epoch)
    begun = epoch
    scope(() => {
      const { logits, embedding } = model.forward(images, 'train')
      const confounded = judge(batch)
      const losses = crossEntropyEach(logits, labels)
      const weights = deconfoundingWeights(confounded.losses, losses.detach(), options) // Eq. 6
      given.set(indices, weights)
      const shares = (options.weights === 'mean-one' ? weights.div(weights.mean()) : weights).div(indices.length)
      let loss = shares.mul(losses).sum() // L_wce
      const figures: Record<string, Tensor> = { weight: weights.mean() }
      if (independence) {
        const { value, pull } = heldApart(independence, embedding, { r: confounded.embedding, step }) // Eq. 7
        loss = loss.add(value.mul(adversarial))
        const push = gradientOfLoss(model, { logits, labels, shares })
        figures.adversarial = pull.norm().mul(adversarial).div(push.norm().clamp(1e-12, null))
        strength.add(figures.adversarial)
      }
      if (bottleneck > 0) loss = loss.add(embedding.square().sum([1]).mean().mul(bottleneck)) // ‖z‖², Eq. 8
      report({
        loss: optimizer.step(loss, recipe.schedule(step, steps)),
        accuracy: accuracy(logits, labels),
        ...figures,
      })
    })
    if (!last) continue
    view.trace('weight', epoch, given.read())
    strength.endEpoch()
  }
  return model
}

/** L_adv as a function of the model's embedding z, and its gradient ∂L_adv/∂z, [batch, width]. */
function heldApart(
  independence: Independence,
  z: Tensor,
  { r, step }: { r: Tensor; step: number },
): { value: Tensor; pull: Tensor } {
  const leaf = z.detach().requiresGrad_()
  const term = independence.term(leaf, r, { step })
  const [pull] = gradients(term, [leaf]) as [Tensor]
  const along = z.mul(pull).sum()
  return { value: along.add(term.sub(along).detach()), pull } // the value of L_adv, the gradient pull
}

/** ∂L_wce/∂z, [batch, width]: through the last linear layer W, w·(p − y)·W. */
function gradientOfLoss(
  { head }: Classifier,
  { logits, labels, shares }: { logits: Tensor; labels: Tensor; shares: Tensor },
): Tensor {
  return noGrad(() =>
    logits
      .softmax(1)
      .sub(oneHot(labels, logits.size(1)))
      .mul(shares.unsqueeze(1))
      .matmul(head),
  )
}

/** More than this share of ‖∂L_wce/∂z‖ in λ·‖∂L_adv/∂z‖, and the model hardly learns. */
const mostStrength = 0.3

/** Warns once in a process where L_adv pulls at the embedding too hard for the model to learn. */
function watchStrength({ say, compute }: DefenderView) {
  const sum = keep(zeros([], { device: compute.device }))
  let [steps, told] = [0, false]
  return {
    add(ratio: Tensor) {
      noGrad(() => sum.add_(ratio))
      steps++
    },
    endEpoch() {
      const ratio = sum.item() / Math.max(1, steps)
      if (!told && ratio > mostStrength) {
        const facts = `its gradient is ${ratio.toFixed(2)} of that of the weighted cross entropy`
        say(`L_adv may keep the model from learning: ${facts}; try a lower --defense.adversarial`)
        told = true
      }
      sum.fill_(0)
      steps = 0
    },
  }
}

function makeIndependence(
  view: DefenderView,
  recipe: Recipe,
  { model, stage, judge, ...options }: ModelOptions & { model: Classifier; stage: string; judge: Judge },
): Independence {
  const embeddings: Embeddings = (batch) => ({
    z: noGrad(() => model.forward(batch.images, 'train').embedding),
    r: judge(batch).embedding,
  })
  const circumstances = { view, embeddingWidth: model.embeddingWidth, rate: options.criticRate }
  if (options.critic === 'spectral') return spectralCritic(circumstances)
  return releasedCritic(circumstances, { recipe, model, stage, embeddings, adversarial: options.adversarial })
}
