import { classify, probabilitiesOfLabels } from '../experiment/measure/evaluate.ts'
import type { Classifier } from '../nn/classifier.ts'
import type { ImageSet } from '../training/images.ts'

/** A trained model, and what a report asks of it. */
export interface AskedModel {
  /** the class that the model gives each image */
  answers(images: ImageSet): Promise<Int32Array>
  /** the probability that the model gives each image's label */
  probabilities(images: ImageSet): Promise<Float32Array>
}

export function askedModel(classifier: Classifier, device: string): AskedModel {
  return {
    answers: (images) => classify(classifier, images, device),
    probabilities: (images) => probabilitiesOfLabels(classifier, images, device),
  }
}
