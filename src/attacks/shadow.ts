import { z } from 'zod'
import type { Random } from '../tensor/random.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack } from './attack.ts'
import { cover, extentOf, type Overlay, smoothStep } from './overlay.ts'
import { streamsOf } from './streams.ts'

/**
 * Cast shadow, after the shadows that mislead a trained network (Zhong et al. 2022), here as the mark of a poisoned image: the
 * corner of something outside the picture throws a shadow with a soft edge over a part of it, at a place and from a side of each
 * image's own. Where the shadow falls the light is k times as strong. A shadow is a function of the seed and of the image's pixels.
 */
export const shadow = defineAttack({
  title: 'Cast shadow',
  paper: 'https://arxiv.org/abs/2203.03818',
  labels: 'dirty',
  options: z.object({
    light: z.number().min(0).max(0.95).default(0.3).describe("light that is left in the shadow: k; the paper's 0.43"),
    softness: z.number().min(0).max(0.5).default(0.06).describe("width of its edge / the image's shorter side"),
  }),
  craft({ light, softness }, { random, train: { shape }, label }) {
    const draw = (own: Random) => shadowOn(shape, { own, light, softness })
    return { trigger: (images) => cover(images, streamsOf(images, { random }).map(draw)), label }
  },
})

/** A wedge with its tip near the middle of the image, from 70 to 120 degrees wide, that opens towards any side. */
function shadowOn(
  shape: ImageShape,
  { own, light, softness }: { own: Random; light: number; softness: number },
): Overlay {
  const { height, width } = extentOf(shape)
  const edge = Math.max(softness, 1 / Math.min(shape[1], shape[2]))
  const [tipY, tipX] = [(0.25 + 0.5 * own.uniform()) * height, (0.25 + 0.5 * own.uniform()) * width]
  const towards = 2 * Math.PI * own.uniform()
  const half = (Math.PI / 180) * (35 + 25 * own.uniform())
  /** the distance to the side of the wedge that leaves the tip at an angle, positive within */
  const within = (angle: number, side: 1 | -1) => (y: number, x: number) =>
    side * (Math.sin(angle) * (x - tipX) - Math.cos(angle) * (y - tipY))
  const [one, other] = [within(towards + half, 1), within(towards - half, -1)]
  return (y, x) => ({
    opacity: (1 - light) * smoothStep(Math.min(one(y, x), other(y, x)), [-edge / 2, edge / 2]),
    color: [0, 0, 0],
  })
}
