import sharp from 'sharp'
import type { Crafted } from '../attacks/attack.ts'
import { writeAtomically } from '../files.ts'
import { scope } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import { type ImageSet, imageBytes } from '../training/images.ts'

const shown = 8
const zoom = 3
const gap = 2

/**
 * A preview of a trigger as PNG: eight images, one column each; rows clean, triggered, and the residual times 8 around
 * middle gray. Pixels are enlarged three times.
 */
export async function writePreview(path: string, set: ImageSet, attack: Crafted): Promise<void> {
  const count = Math.min(shown, set.labels.length)
  const [channels, height, width] = set.shape
  const clean = set.pixels.slice(0, count * imageBytes(set.shape))
  const labels = set.labels.slice(0, count)
  const triggered = scope(() => attack.trigger(tensor(clean, [count, ...set.shape]), labels).bytes())
  const residual = clean.map((pixel, i) => Math.max(0, Math.min(255, 128 + 8 * ((triggered[i] as number) - pixel))))

  const sheetWidth = count * (width + gap) - gap
  const sheetHeight = 3 * (height + gap) - gap
  const sheet = new Uint8Array(sheetWidth * sheetHeight * 3).fill(255)
  for (const [row, pixels] of [clean, triggered, residual].entries()) {
    for (let i = 0; i < count; i++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          for (let c = 0; c < 3; c++) {
            const to = ((row * (height + gap) + y) * sheetWidth + i * (width + gap) + x) * 3 + c
            sheet[to] = pixels[((i * channels + Math.min(c, channels - 1)) * height + y) * width + x] as number
          }
        }
      }
    }
  }
  const png = await sharp(sheet, { raw: { width: sheetWidth, height: sheetHeight, channels: 3 } })
    .resize(sheetWidth * zoom, sheetHeight * zoom, { kernel: 'nearest' })
    .png()
    .toBuffer()
  writeAtomically(path, png)
}
