import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { stateOf } from '../nn/module.ts'
import { sgd } from '../nn/sgd.ts'
import { scope } from '../tensor/scope.ts'
import { predict } from '../training/predict.ts'
import type { Workshop } from '../training/workshop.ts'

/** A network that the attacker trains plainly on images of his own; of the victim he needs to know nothing. */
export async function trainSurrogate(workshop: Workshop, epochs: number): Promise<Classifier> {
  const { recipe } = workshop
  const model = workshop.model('surrogate')
  const optimizer = sgd(model.parameters, recipe)
  const state = { model: stateOf(model), optimizer }
  for await (const { images, labels, step, steps, report } of workshop.stage('surrogate', {
    ...recipe,
    epochs,
    state,
  })) {
    scope(() => {
      const { logits } = model.forward(images, 'train')
      const loss = optimizer.step(crossEntropy(logits, labels), recipe.schedule(step, steps))
      report({ loss, accuracy: accuracy(logits, labels) })
    })
  }
  return model
}

/** Share of a workshop's own images that a network labels as they are. */
export async function accuracyOn({ images }: Workshop, model: Classifier): Promise<number> {
  const predicted = await predict(model, images)
  return predicted.filter((label, i) => label === images.labels[i]).length / predicted.length
}
