import { setImmediate } from 'node:timers/promises'
import type { Classifier, Output } from '../nn/classifier.ts'
import type { Precision } from '../tensor/device.ts'
import { scope } from '../tensor/scope.ts'
import { noGrad, type Tensor } from '../tensor/tensor.ts'
import { inOrder, type Loader } from './loader.ts'

/** How images are shown to a model: so many at a time, and in which precision (scores that must not tie need fp32). */
export interface Showing {
  readonly batch?: number
  readonly precision?: Precision
}

/** Shows a model all images in order, un-augmented, in evaluation mode, without gradients. */
export async function forEachBatch(
  model: Classifier,
  images: Loader,
  see: (output: Output, batch: { first: number; labels: Tensor }) => void,
  { batch = 256, precision = 'fp32' }: Showing = {},
): Promise<void> {
  for (const indices of inOrder(images.count, batch)) {
    const [first = 0] = indices
    scope(() =>
      noGrad(() => {
        const output = model.forward(images.images(indices), 'eval', precision)
        see(output, { first, labels: images.labelsOf(indices) })
      }),
    )
    await setImmediate()
  }
}

/** One number per image: `score` sees the model's output, as in `forEachBatch`, and the labels, and returns [batch]. */
export async function scoreEach(
  model: Classifier,
  images: Loader,
  score: (output: Output, labels: Tensor) => Tensor,
  showing: Showing = {},
): Promise<Float32Array> {
  const scores = new Float32Array(images.count)
  const see = (output: Output, { first, labels }: { first: number; labels: Tensor }) =>
    scores.set(score(output, labels).to({ dtype: 'float32' }).data() as Float32Array, first)
  await forEachBatch(model, images, see, showing)
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
