import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { stateOf } from '../nn/module.ts'
import { sgd } from '../nn/sgd.ts'
import { scope } from '../tensor/scope.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Workshop } from './workshop.ts'

/** A scalar, of logits [batch, classes], labels int64 [batch], and which images they belong to. */
export type Loss = (batch: { logits: Tensor; labels: Tensor; indices: Int32Array }) => Tensor

/**
 * Trains a fresh network by the workshop's recipe, with cross entropy unless told otherwise: no defense, an attacker's
 * surrogate, and the model that defenses repair. `name` names both the network and the stage. Where `shown` says which images
 * an epoch shows, they are shown again until there were as many as there are images.
 */
export async function trainPlainly(
  workshop: Workshop,
  {
    name,
    epochs = workshop.recipe.epochs,
    loss: lossOf = ({ logits, labels }) => crossEntropy(logits, labels),
    shown,
  }: { name: string; epochs?: number; loss?: Loss; shown?: ((epoch: number) => Int32Array) | undefined },
): Promise<Classifier> {
  const { recipe } = workshop
  const model = workshop.model(name)
  const optimizer = sgd(model.parameters, recipe)
  const state = { model: stateOf(model), optimizer }
  const repeated = shown && { batches: Math.ceil(workshop.images.count / recipe.batch), from: shown }
  const brief = { ...recipe, epochs, state, ...(repeated && { repeated }) }
  for await (const { images, step, steps, report, ...batch } of workshop.stage(name, brief)) {
    scope(() => {
      const { logits } = model.forward(images, 'train')
      const loss = optimizer.step(lossOf({ logits, ...batch }), recipe.schedule(step, steps))
      report({ loss, accuracy: accuracy(logits, batch.labels) })
    })
  }
  return model
}
