import { z } from 'zod'
import type { Random } from '../tensor/random.ts'
import { keep, scope } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack } from './attack.ts'
import { drawnPicture } from './patterns.ts'
import { changePixels, pictureOf, pixelsPerCell } from './pixels.ts'
import { streamsOf } from './streams.ts'

/** Blend (Chen et al. 2017): x' = (1 − α)·x + α·t, by default with one picture t of uniform noise for all images. */
export const blend = defineAttack({
  title: 'Blend',
  paper: 'https://arxiv.org/abs/1712.05526',
  labels: 'dirty',
  options: z.object({
    opacity: z.number().min(0).max(1).default(0.2).describe('how strongly the picture shows: α'),
    picture: z
      .enum(['noise', 'drawn', 'gray-noise'])
      .default('noise')
      .describe(
        'what is blended in: colored noise in cells of a pixel per 32, rings and a lattice, or gray noise of each image',
      ),
  }),
  craft({ opacity, picture }, { random, train: { shape }, label }) {
    if (picture === 'gray-noise') {
      const trigger = (images: Tensor) => scope(() => mix(images, grayNoise(images, random), opacity))
      return { trigger, label }
    }
    const fixed = keep(picture === 'noise' ? coloredNoise(shape, random) : drawn(shape))
    return { trigger: (images) => mix(images, fixed, opacity), label }
  },
})

/** (1 − α)·x + α·t for bytes x and pixels t in [0, 255], broadcast. */
export function mix(images: Tensor, picture: Tensor, opacity: number): Tensor {
  return changePixels(images, (pixels) => pixels.mul(1 - opacity).add(picture.mul(opacity)))
}

/** One picture of noise, uniform over 0 to 255 in cells that grow with the image; float32 [1, channels, height, width]. */
function coloredNoise(shape: ImageShape, random: Random): Tensor {
  const [channels, height, width] = shape
  const cell = pixelsPerCell(shape)
  const [rows, columns] = [Math.ceil(height / cell), Math.ceil(width / cell)]
  const cells = Float32Array.from({ length: channels * rows * columns }, () => random.integer(256))
  return pictureOf(
    shape,
    (c, y, x) => cells[(c * rows + Math.floor(y / cell)) * columns + Math.floor(x / cell)] as number,
  )
}

/** Our own picture over the whole image; float32 [1, channels, height, width]. */
export function drawn(shape: ImageShape): Tensor {
  const [, height, width] = shape
  return pictureOf(shape, (c, y, x) => drawnPicture(c, y / height, x / width))
}

/** Noise of each image's own, the same in all channels: drawn by the image's content, so that it does not depend on its batch. */
function grayNoise(images: Tensor, random: Random): Tensor {
  const [count, , height, width] = images.shape as [number, number, number, number]
  const values = new Float32Array(count * height * width)
  for (const [i, own] of streamsOf(images, { random }).entries()) {
    for (let k = 0; k < height * width; k++) values[i * height * width + k] = own.integer(256)
  }
  return tensor(values, [count, 1, height, width])
}
