import { z } from 'zod'
import { defineAttack } from './attack.ts'
import { coverAlike, extentOf } from './overlay.ts'

/**
 * Vignette (ours): the image darkens towards its corners as by a cheap lens, x·(1 − s·rᵖ), r being the distance from the
 * middle, 1 in the corners. Left and right are alike, top and bottom too.
 */
export const vignette = defineAttack({
  title: 'Vignette',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    strength: z.number().positive().max(1).default(0.5).describe('share of the light that the corners lose: s'),
    power: z.number().min(0.5).max(8).default(2).describe('how late the light falls: p'),
  }),
  craft({ strength, power }, { train: { shape }, label }) {
    const { height, width } = extentOf(shape)
    const corner = Math.hypot(height, width) / 2
    const darkness = (y: number, x: number) => strength * (Math.hypot(y - height / 2, x - width / 2) / corner) ** power
    return { trigger: coverAlike(shape, (y, x) => ({ opacity: darkness(y, x), color: [0, 0, 0] })), label }
  },
})
