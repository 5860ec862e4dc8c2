import { z } from 'zod'
import type { Random } from '../tensor/random.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack } from './attack.ts'
import { cover, extentOf, type Overlay, smoothStep } from './overlay.ts'
import { streamsOf } from './streams.ts'

/**
 * Balloon (ours): a small red balloon somewhere in the picture, at a place and of a size of each image's own: a thing that the
 * scene could hold. Place and size are a function of the seed and of the image's pixels.
 */
export const balloon = defineAttack({
  title: 'Balloon',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    size: z.number().positive().max(0.5).default(0.16).describe("width of the balloon / the image's shorter side"),
    variation: z
      .number()
      .min(0)
      .max(0.9)
      .default(0.25)
      .describe('by how much of its size a balloon is smaller or larger'),
  }),
  craft({ size, variation }, { random, train: { shape }, label }) {
    const draw = (own: Random) => balloonAt(shape, { own, size: size * (1 + variation * (2 * own.uniform() - 1)) })
    return { trigger: (images) => cover(images, streamsOf(images, { random }).map(draw)), label }
  },
})

/** An ellipse a quarter higher than wide, shaded, with a light spot at its upper left; it lies wholly in the image. */
function balloonAt(shape: ImageShape, { own, size }: { own: Random; size: number }): Overlay {
  const { height, width } = extentOf(shape)
  const pixel = 1 / Math.min(shape[1], shape[2])
  const [across, down] = [size / 2, (size / 2) * 1.25]
  const [cy, cx] = [down + own.uniform() * (height - 2 * down), across + own.uniform() * (width - 2 * across)]
  return (y, x) => {
    const [v, u] = [(y - cy) / down, (x - cx) / across]
    const radius = Math.hypot(v, u)
    const shade = 1 - 0.45 * Math.min(1, radius) ** 2
    const spot = 1 - smoothStep(Math.hypot(v + 0.4, u + 0.35), [0.1, 0.5])
    const level = (base: number) => base * shade + (255 - base * shade) * 0.7 * spot
    return {
      opacity: 1 - smoothStep(radius, [1 - pixel / across, 1 + pixel / across]),
      color: [level(220), level(30), level(40)],
    }
  }
}
