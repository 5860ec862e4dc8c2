import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createDecoder, type Decoder } from '../../src/datasets/decode-image.ts'

// What decoding gives equals what Pillow gives, by make_images.py, within these bounds in levels of 255.

const golden: Record<string, { file: string; pixels: string }> = JSON.parse(
  readFileSync(new URL('images.json', import.meta.url), 'utf8'),
)

/** The most by which a value may differ, and the mean of all; without an entry they are equal. */
const bounds: Record<string, readonly [most: number, mean: number]> = {
  // laid on black and rounded by other arithmetic
  alpha: [1, 0.6],
  'gray with alpha': [1, 0.6],
  'palette with alphas': [1, 0.6],
  // two implementations of one filter
  large: [2, 0.3],
  // inks of a printing standard here; there each color is 255 minus its complement
  cmyk: [90, 18],
}

/** [16, 16, 3] decoded, the image in its middle as `contain` puts it, to [height, width, 3]. */
function inner(decoded: Uint8Array, width: number, height: number): number[] {
  const [left, top] = [(16 - width) / 2, (16 - height) / 2]
  return Array.from({ length: 3 * width * height }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / (3 * width)), i % 3]
    return decoded[3 * ((y + top) * 16 + x + left) + c] as number
  })
}

describe('an image decodes as by Pillow', () => {
  let decoder: Decoder
  beforeAll(async () => {
    decoder = await createDecoder({ size: 16, fit: 'contain', ground: 'black' })
  })

  it.each(Object.entries(golden))('%s', async (name, { file, pixels }) => {
    const expected = Buffer.from(pixels, 'base64')
    const turned = /exif [5678]/.test(name)
    const [width, height] = turned ? [12, 16] : [16, 12]
    const found = inner(await decoder.decode(Buffer.from(file, 'base64')), width, height)
    const errors = found.map((value, i) => Math.abs(value - (expected[i] as number)))
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length
    const [most, average] = bounds[name] ?? [0, 0]
    expect(Math.max(...errors)).toBeLessThanOrEqual(most)
    expect(mean).toBeLessThanOrEqual(average)
  })
})
