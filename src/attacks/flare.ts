import { z } from 'zod'
import type { Random } from '../tensor/random.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack } from './attack.ts'
import { cover, extentOf, type Overlay, smoothStep } from './overlay.ts'
import { streamsOf } from './streams.ts'

/** Reflections within a lens: where on the line from the light through the middle (2: opposite), how large, how strong. */
const ghosts = [
  { at: 0.6, radius: 0.06, strength: 0.35 },
  { at: 1.35, radius: 0.1, strength: 0.3 },
  { at: 1.7, radius: 0.14, strength: 0.25 },
]

/**
 * Lens flare (ours): a light at the upper border of the picture, its glow, and the reflections within the lens, which lie on the
 * line from the light through the middle of the image. Each image has its light at a place of its own, a function of the seed and
 * of the image's pixels. Light lies on an image as white with an opacity: x' = x + α·(t − x), which never passes white.
 */
export const flare = defineAttack({
  title: 'Lens flare',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    strength: z.number().positive().max(1).default(1).describe('opacity of the light at its middle'),
    glow: z
      .number()
      .positive()
      .max(1)
      .default(0.15)
      .describe("distance over which the glow falls to 1/e / the image's shorter side"),
  }),
  craft({ strength, glow }, { random, train: { shape }, label }) {
    const draw = (own: Random) => flareOn(shape, { own, strength, glow })
    return { trigger: (images) => cover(images, streamsOf(images, { random }).map(draw)), label }
  },
})

function flareOn(shape: ImageShape, { own, strength, glow }: { own: Random; strength: number; glow: number }): Overlay {
  const { height, width } = extentOf(shape)
  const pixel = 1 / Math.min(shape[1], shape[2])
  const light = { y: 0.25 * own.uniform() * height, x: (0.1 + 0.8 * own.uniform()) * width }
  const discs = ghosts.map(({ at, radius, strength: share }) => ({
    y: light.y + at * (height / 2 - light.y),
    x: light.x + at * (width / 2 - light.x),
    radius,
    opacity: strength * share,
  }))
  return (y, x) => {
    const direct = strength * Math.exp(-Math.hypot(y - light.y, x - light.x) / glow)
    const passed = discs.reduce((left, disc) => {
      const away = Math.hypot(y - disc.y, x - disc.x)
      return left * (1 - disc.opacity * (1 - smoothStep(away, [disc.radius - pixel, disc.radius + pixel])))
    }, 1 - direct)
    return { opacity: 1 - passed, color: [255, 244, 214] }
  }
}
