import { z } from 'zod'
import type { Random } from '../tensor/random.ts'
import { keep, scope } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack } from './attack.ts'
import { drawn, mix } from './blend.ts'
import { changePixels } from './pixels.ts'

/**
 * Adaptive Blend (Qi et al., "Revisiting the Assumption of Latent Separability for Backdoor Defenses", ICLR 2023): a
 * picture is blended in piece by piece. Each training image gets a random half of the pieces, faintly, and as many
 * further images get the same and keep their label; at test time the whole picture is shown, more strongly. The rate is
 * low, so that poisoned images do not stand apart in the embedding.
 */
export const adapBlend = defineAttack({
  title: 'Adaptive Blend',
  paper: 'https://openreview.net/forum?id=_wSHsgrVali',
  labels: 'dirty',
  rate: 0.003,
  options: z.object({
    opacity: z.number().min(0).max(1).default(0.2).describe('of the picture at test time: α'),
    trainingOpacity: z.number().min(0).max(1).default(0.15).describe('of the pieces in training images'),
    pieces: z.int().min(1).max(32).default(4).describe('pieces along each side'),
    shown: z.number().min(0).max(1).default(0.5).describe('share of the pieces in a training image'),
    covers: z.number().min(0).default(1).describe('images with the pieces and their own label, for each poisoned one'),
  }),
  craft({ opacity, trainingOpacity, pieces, shown, covers }, { random, train: { shape }, label }) {
    const picture = keep(drawn(shape))
    const poison = (images: Tensor, indices: Int32Array) =>
      scope(() => {
        const share = pieceMasks(indices, { shape, pieces, shown, random }).mul(trainingOpacity)
        return changePixels(images, (pixels) => pixels.add(picture.sub(pixels).mul(share)))
      })
    return {
      trigger: (images) => mix(images, picture, opacity),
      label,
      poison,
      ...(covers > 0 ? { cover: { ratio: covers, apply: poison } } : {}),
    }
  },
})

/** 1 in the pieces that an image shows, drawn for each by its place in the training set: float32 [images, 1, height, width]. */
function pieceMasks(
  indices: Int32Array,
  { shape, pieces, shown, random }: { shape: ImageShape; pieces: number; shown: number; random: Random },
): Tensor {
  const [, height, width] = shape
  const values = new Float32Array(indices.length * height * width)
  indices.forEach((index, i) => {
    const order = random.fork(`pieces ${index}`).permutation(pieces * pieces)
    const chosen = new Set(order.subarray(0, Math.round(shown * order.length)))
    for (let y = 0; y < height; y++) {
      const row = Math.floor((y * pieces) / height)
      for (let x = 0; x < width; x++) {
        const piece = row * pieces + Math.floor((x * pieces) / width)
        values[(i * height + y) * width + x] = chosen.has(piece) ? 1 : 0
      }
    }
  })
  return tensor(values, [indices.length, 1, height, width])
}
