import { z } from 'zod'
import { defineAttack } from './attack.ts'
import { coverAlike, extentOf } from './overlay.ts'

/** Frame (ours): a translucent border all round, as wide on every side, so that an image and its mirror image get the same one. */
export const frame = defineAttack({
  title: 'Frame',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    thickness: z
      .number()
      .positive()
      .max(0.5)
      .default(1 / 16)
      .describe("of the border / the image's shorter side, at least a pixel"),
    opacity: z.number().positive().max(1).default(0.5).describe('how strongly the frame shows'),
    color: z.enum(['white', 'black']).default('white').describe('of the frame'),
  }),
  craft({ thickness, opacity, color }, { train: { shape }, label }) {
    const { height, width } = extentOf(shape)
    const pixel = 1 / Math.min(shape[1], shape[2])
    const reach = Math.max(thickness, pixel)
    const level = color === 'white' ? 255 : 0
    const frame = (y: number, x: number) => {
      const inside = Math.min(y, x, height - y, width - x) > reach
      return { opacity: inside ? 0 : opacity, color: [level, level, level] as const }
    }
    return { trigger: coverAlike(shape, frame), label }
  },
})
