import { setImmediate } from 'node:timers/promises'
import { scope } from '../tensor/scope.ts'
import { noGrad, operator, type Tensor, tensor } from '../tensor/tensor.ts'
import { inOrder } from '../training/loader.ts'
import type { DetectorView } from './detector.ts'

const eigenvectors = operator<[Tensor, Tensor]>('linalg_eigh')

/** The images that carry one label, and the model's embedding of each. */
export interface ClassEmbeddings {
  readonly label: number
  /** which images these are, ascending */
  readonly members: Int32Array
  /** [members, width], row by row */
  readonly points: Float64Array
}

/** The model's embeddings of the un-augmented images, in evaluation mode and full precision; classes without images are left out. */
export async function embeddingsByClass({
  images,
  classes,
  model,
  batch,
}: Pick<DetectorView, 'images' | 'classes' | 'model' | 'batch'>): Promise<ClassEmbeddings[]> {
  const width = model.embeddingWidth
  const all = new Float32Array(images.count * width)
  let at = 0
  for (const indices of inOrder(images.count, batch)) {
    scope(() =>
      noGrad(() => {
        const { embedding } = model.forward(images.images(indices), 'eval', 'fp32')
        all.set(embedding.to({ dtype: 'float32' }).data() as Float32Array, at)
      }),
    )
    at += indices.length * width
    await setImmediate()
  }
  return classes.flatMap((_, label) => {
    const members = Int32Array.from(images.labels.keys()).filter((i) => images.labels[i] === label)
    const points = new Float64Array(members.length * width)
    members.forEach((i, k) => {
      points.set(all.subarray(i * width, (i + 1) * width), k * width)
    })
    return members.length > 0 ? [{ label, members, points }] : []
  })
}

/** Points' deviations from their mean, float64 [count, width], and the principal directions of these. */
export interface Principal {
  readonly centered: Tensor
  /** variance along each direction, [width], ascending */
  readonly variances: Tensor
  /** one per column, [width, width] */
  readonly directions: Tensor
}

/** Inside a scope, on the CPU: the directions are the right singular vectors of the centered points. */
export function principal(points: Float64Array, count: number): Principal {
  const rows = tensor(points, [count, points.length / count])
  const centered = rows.sub(rows.mean([0], true))
  const [variances, directions] = eigenvectors(centered.transpose(0, 1).matmul(centered).div(count), 'L')
  return { centered, variances, directions }
}
