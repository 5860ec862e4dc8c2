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
 * surrogate, and the model that defenses repair. `name` names both the network and the stage.
 */
export async function trainPlainly(
  workshop: Workshop,
  {
    name,
    epochs = workshop.recipe.epochs,
    loss: lossOf = ({ logits, labels }) => crossEntropy(logits, labels),
  }: { name: string; epochs?: number; loss?: Loss },
): Promise<Classifier> {
  const { recipe } = workshop
  const model = workshop.model(name)
  const optimizer = sgd(model.parameters, recipe)
  const state = { model: stateOf(model), optimizer }
  for await (const { images, step, steps, report, ...batch } of workshop.stage(name, { ...recipe, epochs, state })) {
    scope(() => {
      const { logits } = model.forward(images, 'train')
      const loss = optimizer.step(lossOf({ logits, ...batch }), recipe.schedule(step, steps))
      report({ loss, accuracy: accuracy(logits, batch.labels) })
    })
  }
  return model
}
