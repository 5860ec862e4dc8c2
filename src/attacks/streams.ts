import { createHash } from 'node:crypto'
import type { Random } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'

/**
 * A stream of random numbers for each image, uint8 [count, channels, height, width], named by the image's pixels after the
 * purpose: the same image has the same stream in every batch, in training and at test time.
 */
export function streamsOf(images: Tensor, { random, purpose = '' }: { random: Random; purpose?: string }): Random[] {
  const bytes = images.bytes()
  const size = bytes.length / images.size(0)
  return Array.from({ length: images.size(0) }, (_, i) => {
    const pixels = bytes.subarray(i * size, (i + 1) * size)
    return random.fork(`${purpose}${createHash('sha256').update(pixels).digest('hex')}`)
  })
}
