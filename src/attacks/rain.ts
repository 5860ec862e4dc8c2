import { z } from 'zod'
import type { Random } from '../tensor/random.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack } from './attack.ts'
import { cover, extentOf, type Overlay, smoothStep } from './overlay.ts'
import { streamsOf } from './streams.ts'

/**
 * Rain (ours): bright streaks of falling drops. One wind, which the seed draws, slants the rain of all images; the drops fall
 * elsewhere in each, by the seed and the image's pixels.
 */
export const rain = defineAttack({
  title: 'Rain',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    drops: z.int().min(1).max(1000).default(24).describe("streaks in a square of the image's shorter side"),
    opacity: z.number().positive().max(1).default(0.45).describe('how strongly a streak shows'),
    length: z.number().positive().max(1).default(0.2).describe("of a streak / the image's shorter side"),
  }),
  craft({ drops, opacity, length }, { random, train: { shape }, label }) {
    const slant = (Math.PI / 180) * (10 + 15 * random.uniform())
    const draw = (own: Random) => rainOn(shape, { own, slant, drops, opacity, length })
    return { trigger: (images) => cover(images, streamsOf(images, { random }).map(draw)), label }
  },
})

interface Rain {
  readonly own: Random
  /** from the vertical, in radians */
  readonly slant: number
  readonly drops: number
  readonly opacity: number
  readonly length: number
}

function rainOn(shape: ImageShape, { own, slant, drops, opacity, length }: Rain): Overlay {
  const { height, width } = extentOf(shape)
  const half = 0.75 / Math.min(shape[1], shape[2], 64) // half of a streak's width: a pixel and a half on small images
  const [down, right] = [Math.cos(slant), -Math.sin(slant)]
  const streaks = Array.from({ length: Math.max(1, Math.round(drops * height * width)) }, () => ({
    y: own.uniform() * (height + length) - length,
    x: own.uniform() * (width + length * Math.sin(slant)),
  }))
  return (y, x) => {
    let clear = 1
    for (const from of streaks) {
      const along = (y - from.y) * down + (x - from.x) * right
      if (along < 0 || along > length) continue
      const aside = Math.abs((x - from.x) * down - (y - from.y) * right)
      if (aside < half) clear *= 1 - opacity * (1 - smoothStep(aside, [0, half]))
    }
    return { opacity: 1 - clear, color: [225, 230, 235] }
  }
}
