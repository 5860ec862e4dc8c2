import { z } from 'zod'
import { tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack } from './attack.ts'

/** Steps of the coefficients at quality 50, by rows from the lowest frequency (ITU-T T.81, tables K.1 and K.2). */
const luminance = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
  87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
]
const chrominance = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99,
]

/**
 * JPEG blocks (ours): what is lost in a file of low quality. In blocks of 8×8 pixels the discrete cosine transform of luma and
 * of both color differences is rounded to multiples of its step, as ITU-T T.81 has it; nothing else of the format matters here.
 * Colors keep their full resolution. The image is left with what its own blocks keep, and with their borders.
 */
export const jpeg = defineAttack({
  title: 'JPEG blocks',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    quality: z.int().min(1).max(95).default(15).describe('of the compression, as the usual programs count: 1 to 95'),
  }),
  craft({ quality }, { train: { shape }, label }) {
    const scale = quality < 50 ? 50 / quality : 2 - quality / 50
    const stepsOf = (table: readonly number[]) =>
      table.map((step) => Math.min(255, Math.max(1, Math.round(step * scale))))
    const [ofLuma, ofColor] = [stepsOf(luminance), stepsOf(chrominance)]
    const size = shape[0] * shape[1] * shape[2]
    return {
      trigger: (images) => {
        const bytes = images.bytes()
        const result = new Uint8Array(bytes.length)
        for (let from = 0; from < bytes.length; from += size) {
          const planes = toPlanes(bytes.subarray(from, from + size), shape)
          const rounded = planes.map((plane, k) => roundBlocks(plane, { shape, steps: k === 0 ? ofLuma : ofColor }))
          result.set(fromPlanes(rounded), from)
        }
        return tensor(result, images.shape)
      },
      label,
    }
  },
})

/** Luma and two color differences of an image of three channels (JFIF); any other's channels as they are. */
function toPlanes(image: Uint8Array, [channels, height, width]: ImageShape): Float64Array[] {
  const area = height * width
  const given = Array.from({ length: channels }, (_, c) => Float64Array.from(image.subarray(c * area, (c + 1) * area)))
  if (channels !== 3) return given
  const [r, g, b] = given as [Float64Array, Float64Array, Float64Array]
  const luma = r.map((red, i) => 0.299 * red + 0.587 * (g[i] as number) + 0.114 * (b[i] as number))
  return [
    luma,
    luma.map((y, i) => ((b[i] as number) - y) / 1.772 + 128),
    luma.map((y, i) => ((r[i] as number) - y) / 1.402 + 128),
  ]
}

/** The inverse, in bytes: an image's channels one after the other. */
function fromPlanes(planes: readonly Float64Array[]): Uint8Array {
  const [luma, blueness, redness] = planes as [Float64Array, Float64Array | undefined, Float64Array | undefined]
  if (!blueness || !redness) return Uint8Array.from(planes.flatMap((plane) => Array.from(plane, toByte)))
  const area = luma.length
  const bytes = new Uint8Array(3 * area)
  for (const [i, y] of luma.entries()) {
    const [cb, cr] = [(blueness[i] as number) - 128, (redness[i] as number) - 128]
    bytes[i] = toByte(y + 1.402 * cr)
    bytes[area + i] = toByte(y - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587)
    bytes[2 * area + i] = toByte(y + 1.772 * cb)
  }
  return bytes
}

const toByte = (value: number) => Math.min(255, Math.max(0, Math.round(value)))

/** C[k][x] = √(2/8)·cos(π(2x+1)k/16), of k = 0 divided by √2: orthonormal. */
const cosines = Float64Array.from({ length: 64 }, (_, i) => {
  const [k, x] = [i >> 3, i & 7]
  return (k === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos((Math.PI * (2 * x + 1) * k) / 16)
})
const transposed = cosines.map((_, i) => cosines[(i & 7) * 8 + (i >> 3)] as number)

/** Every block's coefficients to multiples of `steps`. Blocks beyond the border repeat the last row and column. */
function roundBlocks(
  plane: Float64Array,
  { shape: [, height, width], steps }: { shape: ImageShape; steps: readonly number[] },
): Float64Array {
  const result = new Float64Array(plane.length)
  for (let top = 0; top < height; top += 8) {
    for (let left = 0; left < width; left += 8) {
      const block = Float64Array.from({ length: 64 }, (_, i) => {
        const [y, x] = [Math.min(top + (i >> 3), height - 1), Math.min(left + (i & 7), width - 1)]
        return (plane[y * width + x] as number) - 128
      })
      const coefficients = product(product(cosines, block), transposed)
      const kept = coefficients.map((value, i) => Math.round(value / (steps[i] as number)) * (steps[i] as number))
      for (const [i, value] of product(product(transposed, kept), cosines).entries()) {
        const [y, x] = [top + (i >> 3), left + (i & 7)]
        if (y < height && x < width) result[y * width + x] = value + 128
      }
    }
  }
  return result
}

/** Of two matrices of 8×8, by rows. */
function product(a: Float64Array, b: Float64Array): Float64Array {
  const result = new Float64Array(64)
  for (let row = 0; row < 8; row++) {
    for (let column = 0; column < 8; column++) {
      let sum = 0
      for (let k = 0; k < 8; k++) sum += (a[8 * row + k] as number) * (b[8 * k + column] as number)
      result[8 * row + column] = sum
    }
  }
  return result
}
