import { UserError } from '../../errors.ts'
import type { Classifier } from '../../nn/classifier.ts'
import { scope } from '../../tensor/scope.ts'
import { noGrad, tensor } from '../../tensor/tensor.ts'
import type { ImageShape } from '../../training/images.ts'
import type { ComparedImages } from './images.ts'

/** Logits [batch, classes] of pixels float32 [batch, channels, height, width]. */
export type Logits = (pixels: Float32Array) => Float32Array | Promise<Float32Array>

/** How well two engines agree. */
export interface Agreement {
  readonly images: number
  /** how many of them are drawn at random */
  readonly drawn: number
  /** between two logits of one image and class */
  readonly largestDifference: number
  /** what it may be at most */
  readonly tolerance: number
  /** images to which both give one class */
  readonly sameClass: number
}

/** Of logits; where the largest exceeds 25, fp32 itself rounds more coarsely, and the tolerance is its 4e-6th part. */
const tolerances = { absolute: 1e-4, relative: 4e-6 }

/** Sizes of the first batches; a graph that fits one size only does not get past them. */
const firstBatches = [1, 3, 16]
const laterBatches = 50

/** A model's logits by this engine: in fp32, in evaluation mode. */
export function logitsOf(model: Classifier, shape: ImageShape): Logits {
  const perImage = shape.reduce((product, length) => product * length)
  return (pixels) =>
    scope(() =>
      noGrad(() => {
        const images = tensor(pixels, [pixels.length / perImage, ...shape]).to({ device: model.head.device })
        return model.forward(images, 'eval', 'fp32').logits.data() as Float32Array
      }),
    )
}

/** Shows both all images. */
export async function compare(
  { expected, found }: { expected: Logits; found: Logits },
  images: ComparedImages,
  scoring: (done: number, total: number) => void,
): Promise<Agreement> {
  const { count, own } = images
  let [largestDifference, largest, sameClass] = [0, 0, 0]
  for (let from = 0, b = 0; from < count; b++) {
    const batch = Math.min(firstBatches[b] ?? laterBatches, count - from)
    const pixels = images.pixels(Array.from({ length: batch }, (_, i) => from + i))
    const [ours, theirs] = [await expected(pixels), await found(pixels)]
    const classes = ours.length / batch
    for (let i = 0; i < ours.length; i++) {
      const difference = Math.abs((ours[i] as number) - (theirs[i] ?? Number.NaN))
      largestDifference = difference <= largestDifference ? largestDifference : difference // NaN stays
      largest = Math.max(largest, Math.abs(ours[i] as number))
    }
    for (let i = 0; i < batch; i++) if (best(ours, i, classes) === best(theirs, i, classes)) sameClass++
    from += batch
    scoring(from, count)
  }
  const tolerance = Math.max(tolerances.absolute, tolerances.relative * largest)
  return { images: count, drawn: count - own, largestDifference, tolerance, sameClass }
}

/** The class with the largest logit of one image. */
function best(logits: Float32Array, image: number, classes: number): number {
  const own = logits.subarray(image * classes, (image + 1) * classes)
  return own.indexOf(Math.max(...own))
}

/** A UserError where two engines do not agree. */
export function requireAgreement(what: string, { images, largestDifference, tolerance, sameClass }: Agreement): void {
  if (largestDifference <= tolerance && sameClass === images) return
  const facts = `its logits differ by up to ${largestDifference.toExponential(1)} (${tolerance.toExponential(1)} is allowed), and ${sameClass} of ${images} images get the same class`
  throw new UserError(
    'verification',
    `Cannot export ${what}: a second engine answers otherwise: ${facts}; nothing was written. Report it, with the model's kind and options`,
  )
}
