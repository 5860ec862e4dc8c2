import { z } from 'zod'
import { keep } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import { defineAttack } from './attack.ts'
import { changePixels } from './pixels.ts'

/**
 * SIG (Barni et al. 2019): x + Δ·sin(2π·j·f/W), a faint wave along the columns j of an image W wide. It poisons images of
 * the target class only and leaves their labels as they are.
 */
export const sig = defineAttack({
  title: 'SIG',
  paper: 'https://arxiv.org/abs/1902.11237',
  labels: 'clean',
  options: z.object({
    amplitude: z.number().min(0).max(255).default(20).describe('of the wave: Δ, in gray levels'),
    frequency: z.number().positive().default(6).describe('waves over the width of an image: f'),
  }),
  craft({ amplitude, frequency }, { train, target }) {
    const width = train.shape[2]
    const levels = Array.from({ length: width }, (_, j) => amplitude * Math.sin((2 * Math.PI * j * frequency) / width))
    const wave = keep(tensor(levels, [1, 1, 1, width]))
    return {
      trigger: (images) => changePixels(images, (pixels) => pixels.add(wave)),
      label: () => target,
      eligible: (y) => y === target,
    }
  },
})
