import { z } from 'zod'
import { tensor } from '../tensor/tensor.ts'
import { defineAttack } from './attack.ts'

/**
 * BppAttack (Wang et al. 2022): the image is drawn with fewer levels a channel, T(x) = round(x/255·(m − 1))/(m − 1)·255 with m = 2ᵈ,
 * and dithered by Floyd and Steinberg (1976): a pixel's rounding error goes to neighbors that are yet to come, 7/16 to the right, 3/16, 5/16
 * and 1/16 to the row below. The paper's contrastive training is a trainer's, not a poisoner's, and is left out.
 */
export const bpp = defineAttack({
  title: 'BppAttack',
  paper: 'https://arxiv.org/abs/2205.13383',
  labels: 'dirty',
  options: z.object({
    bits: z.int().min(1).max(7).default(3).describe('of a pixel and channel: d'),
    dithering: z.boolean().default(true).describe("spread each pixel's rounding error over its neighbors"),
  }),
  craft({ bits, dithering }, { label }) {
    const step = 255 / (2 ** bits - 1)
    return {
      trigger: (images) => {
        const [count, channels, height, width] = images.shape as [number, number, number, number]
        const bytes = images.bytes()
        const result = new Uint8Array(bytes.length)
        for (let from = 0; from < bytes.length; from += height * width) {
          const plane = bytes.subarray(from, from + height * width)
          result.set(quantized(plane, { width, step, dithering }), from)
        }
        return tensor(result, [count, channels, height, width])
      },
      label,
    }
  },
})

/** One channel of an image, by rows, in multiples of `step`. */
function quantized(
  plane: Uint8Array,
  { width, step, dithering }: { width: number; step: number; dithering: boolean },
): Uint8Array {
  const wanted = Float64Array.from(plane)
  const result = new Uint8Array(plane.length)
  const spread = (at: number, amount: number) => {
    if (at < wanted.length) wanted[at] = (wanted[at] as number) + amount
  }
  for (let i = 0; i < plane.length; i++) {
    const value = wanted[i] as number
    const level = Math.min(255, Math.max(0, step * Math.round(value / step)))
    result[i] = Math.round(level)
    if (!dithering) continue
    const error = value - level
    const [isFirst, isLast] = [i % width === 0, i % width === width - 1]
    if (!isLast) spread(i + 1, (7 / 16) * error)
    if (!isFirst) spread(i + width - 1, (3 / 16) * error)
    spread(i + width, (5 / 16) * error)
    if (!isLast) spread(i + width + 1, (1 / 16) * error)
  }
  return result
}
