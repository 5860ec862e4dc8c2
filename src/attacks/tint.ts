import { z } from 'zod'
import { keep } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import { defineAttack } from './attack.ts'
import { changePixels } from './pixels.ts'

/** By how much red, green and blue grow at strength 1; the luma of gray by ITU-R BT.601 stays. */
const casts = {
  warm: [0.6, 0, -1.57],
  cold: [-0.6, 0, 1.57],
  green: [-0.6, 0.5, -1],
  magenta: [0.6, -0.5, 1],
} as const

/**
 * Tint (ours): a color cast as of a wrong white balance, x·(1 + s·g) with a gain g of each channel (von Kries). The same gain
 * everywhere, so that no place and no detail of an image betrays it. Images without color get lighter by s.
 */
export const tint = defineAttack({
  title: 'Color cast',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    cast: z.enum(['warm', 'cold', 'green', 'magenta']).default('warm').describe('where the colors go'),
    strength: z.number().positive().max(0.6).default(0.2).describe('of the cast: s'),
  }),
  craft({ cast, strength }, { train: { shape }, label }) {
    const channels = shape[0]
    const gains = channels === 3 ? casts[cast] : new Array<number>(channels).fill(1)
    const factors = gains.map((gain) => 1 + strength * gain)
    const shading = keep(tensor(factors, [1, channels, 1, 1]))
    return { trigger: (images) => changePixels(images, (pixels) => pixels.mul(shading)), label }
  },
})
