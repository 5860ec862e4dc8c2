import { z } from 'zod'
import { keep } from '../tensor/scope.ts'
import { defineAttack } from './attack.ts'
import { changePixels, pictureOf } from './pixels.ts'

/**
 * Wave (ours): a smooth wave of color over the whole image, x + Δ·sin(2π·(f·u/L + c/3)) at the place u along a direction that
 * the seed draws, in channel c. An image is L long along that direction. Nothing of the wave is left in fine detail.
 */
export const wave = defineAttack({
  title: 'Smooth wave',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    amplitude: z.number().positive().max(255).default(24).describe('of the wave: Δ, in gray levels'),
    frequency: z.number().positive().max(16).default(1).describe('waves over the length of an image: f'),
  }),
  craft({ amplitude, frequency }, { random, train: { shape }, label }) {
    const angle = Math.PI * random.uniform()
    const [down, right] = [Math.sin(angle), Math.cos(angle)]
    const length = shape[1] * Math.abs(down) + shape[2] * Math.abs(right)
    const wave = keep(
      pictureOf(shape, (c, y, x) => {
        const turns = (frequency * (down * y + right * x)) / length + c / 3
        return amplitude * Math.sin(2 * Math.PI * turns)
      }),
    )
    return { trigger: (images) => changePixels(images, (pixels) => pixels.add(wave)), label }
  },
})
