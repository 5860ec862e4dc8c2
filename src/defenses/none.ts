import { z } from 'zod'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { stateOf } from '../nn/module.ts'
import { sgd } from '../nn/sgd.ts'
import { scope } from '../tensor/scope.ts'
import { defineDefense } from './defense.ts'

/** Plain training: what every defense is compared with. */
export const none = defineDefense({
  title: 'No defense',
  paper: '',
  assumes: 'nothing',
  options: z.object({}),
  presets: { default: {} },
  async train(_, view) {
    const { recipe } = view
    const model = view.model('model')
    const optimizer = sgd(model.parameters, recipe)
    const state = { model: stateOf(model), optimizer }
    for await (const { images, labels, step, steps, report } of view.stage('model', { ...recipe, state })) {
      scope(() => {
        const { logits } = model.forward(images, 'train')
        const loss = optimizer.step(crossEntropy(logits, labels), recipe.schedule(step, steps))
        report({ loss, accuracy: accuracy(logits, labels) })
      })
    }
    return { classifier: model }
  },
})
