import sharp from 'sharp'
import type { ImageShape } from '../training/images.ts'

/** A PNG file of a row of pixels, uint8 [height, width, channels]; of other than one or three channels the first. */
export function png(row: Uint8Array, [channels, height, width]: ImageShape): Promise<Buffer> {
  const plain = channels === 1 || channels === 3
  const pixels = plain ? row : row.filter((_, i) => i % channels === 0)
  return sharp(pixels, { raw: { width, height, channels: plain ? channels : 1 } })
    .png()
    .toBuffer()
}
