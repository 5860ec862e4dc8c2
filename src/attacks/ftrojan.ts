import { z } from 'zod'
import { keep } from '../tensor/scope.ts'
import { defineAttack } from './attack.ts'
import { changePixels, pictureOf } from './pixels.ts'

/** What a unit of Y, U and V adds to red, green and blue (ITU-R BT.601). */
const toColor = { u: [0, -0.394, 2.032], v: [1.14, -0.581, 0] } as const

/**
 * FTrojan (Wang et al. 2022): in blocks of N×N pixels, the discrete cosine transform of the colors U and V gets Δ more at a middle
 * and at the highest frequency. The transform is linear and orthonormal. So pixels get the same picture whatever the image:
 *
 *     Δ·Σₖ (2/N)·cos(π(2y+1)k/2N)·cos(π(2x+1)k/2N),  k = N/2 − 1 and N − 1, in U and in V
 *
 * Images without color get the picture in their luma. Blocks begin at the top left; those at the border may be cut.
 */
export const ftrojan = defineAttack({
  title: 'FTrojan',
  paper: 'https://arxiv.org/abs/2111.10991',
  labels: 'dirty',
  options: z.object({
    magnitude: z.number().positive().max(1000).default(50).describe('what the coefficients get: Δ, in gray levels'),
    block: z.int().min(4).max(256).default(32).describe('side of a block: N, in pixels'),
  }),
  craft({ magnitude, block }, { train: { shape }, label }) {
    const cosine = (at: number, k: number) => Math.cos((Math.PI * (2 * (at % block) + 1) * k) / (2 * block))
    const frequencies = [Math.floor(block / 2) - 1, block - 1]
    const share = (c: number) => (shape[0] === 3 ? (toColor.u[c] as number) + (toColor.v[c] as number) : 1)
    const picture = keep(
      pictureOf(shape, (c, y, x) => {
        const waves = frequencies.map((k) => (2 / block) * cosine(y, k) * cosine(x, k))
        return share(c) * magnitude * waves.reduce((sum, value) => sum + value, 0)
      }),
    )
    return { trigger: (images) => changePixels(images, (pixels) => pixels.add(picture)), label }
  },
})
