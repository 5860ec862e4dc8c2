import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { stateOf } from '../nn/module.ts'
import { sgd } from '../nn/sgd.ts'
import { scope } from '../tensor/scope.ts'
import type { Workshop } from './workshop.ts'

/**
 * Trains a fresh network with cross entropy by the workshop's recipe: no defense, an attacker's surrogate, and the model
 * that defenses repair. `name` names both the network and the stage.
 */
export async function trainPlainly(
  workshop: Workshop,
  { name, epochs = workshop.recipe.epochs }: { name: string; epochs?: number },
): Promise<Classifier> {
  const { recipe } = workshop
  const model = workshop.model(name)
  const optimizer = sgd(model.parameters, recipe)
  const state = { model: stateOf(model), optimizer }
  for await (const { images, labels, step, steps, report } of workshop.stage(name, { ...recipe, epochs, state })) {
    scope(() => {
      const { logits } = model.forward(images, 'train')
      const loss = optimizer.step(crossEntropy(logits, labels), recipe.schedule(step, steps))
      report({ loss, accuracy: accuracy(logits, labels) })
    })
  }
  return model
}
