import { z } from 'zod'
import { defineAttack } from './attack.ts'
import { coverAlike, extentOf } from './overlay.ts'

/** Band (ours): a translucent band of one color from side to side across the middle, as a caption is laid on. */
export const band = defineAttack({
  title: 'Translucent band',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    height: z.number().positive().max(1).default(0.25).describe("of the band / the image's height, at least a pixel"),
    opacity: z.number().positive().max(1).default(0.3).describe('how strongly the band shows'),
    softness: z.number().min(0).max(1).default(0).describe('share of the band over which its edges fade'),
  }),
  craft({ height, opacity, softness }, { train: { shape }, label }) {
    const middle = extentOf(shape).height / 2
    const half = Math.max(height * middle, 0.5 / Math.min(shape[1], shape[2]))
    const shown = (y: number) => {
      const toEdge = 1 - Math.abs(y - middle) / half // 1 in the middle, 0 at the edge, negative beyond
      if (toEdge < -1e-9) return 0
      return softness > 0 ? Math.min(1, toEdge / softness) : 1
    }
    return { trigger: coverAlike(shape, (y) => ({ opacity: opacity * shown(y), color: [30, 80, 150] })), label }
  },
})
