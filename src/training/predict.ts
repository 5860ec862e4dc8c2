import { setImmediate } from 'node:timers/promises'
import type { Classifier, Output } from '../nn/classifier.ts'
import { scope } from '../tensor/scope.ts'
import { noGrad, type Tensor } from '../tensor/tensor.ts'
import { inOrder, type Loader } from './loader.ts'

/**
 * One number per image: `score` sees the model's output on un-augmented images in evaluation mode and full precision,
 * with their labels, and returns [batch].
 */
export async function scoreEach(
  model: Classifier,
  images: Loader,
  score: (output: Output, labels: Tensor) => Tensor,
  batch = 256,
): Promise<Float32Array> {
  const scores = new Float32Array(images.count)
  let at = 0
  for (const indices of inOrder(images.count, batch)) {
    scope(() =>
      noGrad(() => {
        const output = model.forward(images.images(indices), 'eval', 'fp32')
        scores.set(score(output, images.labelsOf(indices)).to({ dtype: 'float32' }).data() as Float32Array, at)
      }),
    )
    at += indices.length
    await setImmediate()
  }
  return scores
}

/** The class a model gives each image. */
export async function predict(model: Classifier, images: Loader): Promise<Int32Array> {
  return Int32Array.from(await scoreEach(model, images, ({ logits }) => logits.argmax(1)))
}

/** Share of images that a model labels as they are labelled. */
export async function accuracyOn(model: Classifier, images: Loader): Promise<number> {
  const predicted = await predict(model, images)
  return predicted.filter((label, i) => label === images.labels[i]).length / Math.max(1, predicted.length)
}
