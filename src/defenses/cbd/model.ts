import type { Classifier } from '../../nn/classifier.ts'
import { accuracy, crossEntropyEach } from '../../nn/losses.ts'
import { stateOf } from '../../nn/module.ts'
import { sgd } from '../../nn/sgd.ts'
import { scope } from '../../tensor/scope.ts'
import { noGrad } from '../../tensor/tensor.ts'
import { perSample } from '../../training/per-sample.ts'
import type { Recipe } from '../../training/workshop.ts'
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
  const optimizer = sgd(model.parameters, recipe)
  const independence = adversarial > 0 ? makeIndependence(view, recipe, { ...options, model, judge }) : null
  const given = perSample(view.images.count)
  const state = { model: stateOf(model), optimizer, given, ...independence?.state }
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
      const weighted = (options.weights === 'mean-one' ? weights.div(weights.mean()) : weights).mul(losses).mean() // L_wce
      const terms = [weighted]
      if (independence) terms.push(independence.term(embedding, confounded.embedding, { step }).mul(adversarial)) // Eq. 7
      if (bottleneck > 0) terms.push(embedding.square().sum([1]).mean().mul(bottleneck)) // ‖z‖²
      const loss = terms.reduce((sum, term) => sum.add(term)) // Eq. 8
      report({
        loss: optimizer.step(loss, recipe.schedule(step, steps)),
        accuracy: accuracy(logits, labels),
        weight: weights.mean().item(),
      })
    })
    if (last) view.trace('weight', epoch, given.read())
  }
  return model
}

function makeIndependence(
  view: DefenderView,
  recipe: Recipe,
  { model, judge, ...options }: ModelOptions & { model: Classifier; judge: Judge },
): Independence {
  const embeddings: Embeddings = (batch) => ({
    z: noGrad(() => model.forward(batch.images, 'train').embedding),
    r: judge(batch).embedding,
  })
  const circumstances = { view, embeddingWidth: model.embeddingWidth, rate: options.criticRate }
  if (options.critic === 'spectral') return spectralCritic(circumstances)
  return releasedCritic(circumstances, { recipe, model, embeddings, adversarial: options.adversarial })
}
