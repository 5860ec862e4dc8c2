import { z } from 'zod'
import type { Random } from '../tensor/random.ts'
import { keep, scope } from '../tensor/scope.ts'
import { operator, type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack } from './attack.ts'
import { pixelsPerCell } from './pixels.ts'
import { gridOf, warp } from './warp.ts'

const upsampleBicubic = operator('upsample_bicubic2d')

/**
 * WaNet (Nguyen and Tran 2021): the image is warped a little, everywhere and smoothly, by one field of offsets. With
 * `noise`, further images are warped by that field plus noise and keep their label, so that no other warping works.
 *
 * On larger images the field keeps its size in pixels: offsets of about s/2 pixels, points of the noise 8 pixels apart.
 *
 * | paper | here |
 * |---|---|
 * | k | points |
 * | s | strength |
 */
export const wanet = defineAttack({
  title: 'WaNet',
  paper: 'https://arxiv.org/abs/2102.10369',
  labels: 'dirty',
  options: z.object({
    points: z
      .int()
      .min(0)
      .max(512)
      .default(0)
      .describe('the field is drawn on so many points squared: k; 0: 4 per 32 pixels'),
    strength: z.number().min(0).default(0.5).describe('of the warping: s'),
    noise: z
      .boolean()
      .default(false)
      .describe('add twice as many images that are warped otherwise and keep their label'),
  }),
  craft({ points, strength, noise }, { random, train: { shape }, label }) {
    const k = points || 4 * pixelsPerCell(shape)
    const grid = keep(scope(() => warpGrid(random.uniformTensor([1, 2, k, k], -1, 1), { shape, strength })))
    const trigger = (images: Tensor) => warp(images, grid, { border: 'black' })
    if (!noise) return { trigger, label }
    const apply = (images: Tensor, indices: Int32Array) =>
      scope(() => warp(images, disturbed(grid, indices, { shape, random }), { border: 'black' }))
    return { trigger, label, cover: { ratio: 2, apply } }
  },
})

/**
 * Where each pixel of a warped image comes from, [1, height, width, (x, y)], −1 to 1 from the first pixel to the last.
 * `noise` [1, 2, k, k] is divided by its mean size, brought to the image's size, scaled by s / size and added to the identity.
 */
export function warpGrid(noise: Tensor, { shape, strength }: { shape: ImageShape; strength: number }): Tensor {
  const [, height, width] = shape
  return scope(() => {
    const field = upsampleBicubic(noise.div(noise.abs().mean()), [height, width], true, null, null).permute(0, 2, 3, 1)
    const perPixel = tensor([strength / width, strength / height], [1, 1, 1, 2])
    return gridOf(shape, (y, x) => [y, x])
      .add(field.mul(perPixel))
      .clamp(-1, 1)
  })
}

/** The grid, for each image with offsets of its own, uniform in ±1 / size: up to half a pixel. */
function disturbed(
  grid: Tensor,
  indices: Int32Array,
  { shape: [, height, width], random }: { shape: ImageShape; random: Random },
): Tensor {
  const offsets = new Float32Array(indices.length * height * width * 2)
  indices.forEach((index, i) => {
    const own = random.fork(`offsets ${index}`)
    for (let k = i * height * width * 2; k < (i + 1) * height * width * 2; k += 2) {
      offsets[k] = (2 * own.uniform() - 1) / width
      offsets[k + 1] = (2 * own.uniform() - 1) / height
    }
  })
  return grid.add(tensor(offsets, [indices.length, height, width, 2])).clamp(-1, 1)
}
