import sharp from 'sharp'
import { type ImageShape, imageBytes } from '../training/images.ts'

/** a sheet is about so wide; small images are enlarged by a whole factor */
const sheetPixels = 800
const gap = 2

/** Rows of images, pixels one after the other, as a PNG, white between them. */
export async function sheet(rows: readonly Uint8Array[], shape: ImageShape): Promise<Buffer> {
  const [channels, height, width] = shape
  const count = Math.max(...rows.map((pixels) => pixels.length / imageBytes(shape)))
  const sheetWidth = Math.max(1, count * (width + gap) - gap)
  const sheetHeight = rows.length * (height + gap) - gap
  const pixels = new Uint8Array(sheetWidth * sheetHeight * 3).fill(255)
  for (const [row, images] of rows.entries()) {
    for (let i = 0; i < images.length / imageBytes(shape); i++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          for (let c = 0; c < 3; c++) {
            const to = ((row * (height + gap) + y) * sheetWidth + i * (width + gap) + x) * 3 + c
            pixels[to] = images[((i * channels + Math.min(c, channels - 1)) * height + y) * width + x] as number
          }
        }
      }
    }
  }
  const zoom = Math.max(1, Math.round(sheetPixels / sheetWidth))
  return sharp(pixels, { raw: { width: sheetWidth, height: sheetHeight, channels: 3 } })
    .resize(sheetWidth * zoom, sheetHeight * zoom, { kernel: 'nearest' })
    .png()
    .toBuffer()
}
