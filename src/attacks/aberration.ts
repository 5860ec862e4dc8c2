import { z } from 'zod'
import { keep, scope } from '../tensor/scope.ts'
import { cat, type Tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack } from './attack.ts'
import { gridOf, warp } from './warp.ts'

/**
 * Chromatic aberration (ours): the color channels do not lie on each other, as with a cheap lens. Red is enlarged about the middle by
 * 1 + s, blue reduced by as much, green stays; so edges get a red and a blue rim, the more the farther out. An image without color is
 * what such a lens leaves of it: the mean of the three.
 */
export const aberration = defineAttack({
  title: 'Chromatic aberration',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    strength: z.number().positive().max(0.5).default(0.06).describe('by how much red is enlarged and blue reduced: s'),
  }),
  craft({ strength }, { train: { shape }, label }) {
    const [red, blue] = [keep(enlarged(shape, 1 + strength)), keep(enlarged(shape, 1 - strength))]
    const mirrored = { border: 'mirrored' } as const
    const seen = (images: Tensor, grid: Tensor) => warp(images, grid, mirrored)
    const trigger = (images: Tensor) =>
      scope(() => {
        if (shape[0] === 3) {
          const [r, g, b] = [0, 1, 2].map((c) => images.narrow(1, c, 1)) as [Tensor, Tensor, Tensor]
          return cat([seen(r, red), g, seen(b, blue)], 1)
        }
        const three = [seen(images, red), images, seen(images, blue)].map((each) => each.to({ dtype: 'float32' }))
        const [sum, ...others] = three as [Tensor, Tensor, Tensor]
        return others
          .reduce((total, each) => total.add(each), sum)
          .div(3)
          .round()
          .to({ dtype: 'uint8' })
      })
    return { trigger, label }
  },
})

/** The grid by which an image appears `times` as large, about its middle. */
function enlarged(shape: ImageShape, times: number): Tensor {
  const [middle, center] = [(shape[1] - 1) / 2, (shape[2] - 1) / 2]
  return gridOf(shape, (y, x) => [middle + (y - middle) / times, center + (x - center) / times])
}
