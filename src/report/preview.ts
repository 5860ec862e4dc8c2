import sharp from 'sharp'
import type { Crafted } from '../attacks/attack.ts'
import { writeAtomically } from '../files.ts'
import { scope } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import { type ImageSet, type ImageShape, imageBytes } from '../training/images.ts'

const shown = 8
/** a sheet is about so wide; small images are enlarged by a whole factor */
const sheetPixels = 800
const gap = 2

/** Training images before and after they were poisoned. */
export interface PoisonedImages {
  readonly train: ImageSet
  readonly poisoned: { readonly set: ImageSet; readonly truth: { readonly poisoned: Int32Array } }
}

/**
 * A preview of a trigger as PNG: eight images, one column each; rows clean, triggered, and the residual times 8 around
 * middle gray. Where training images get something else than the trigger, three more rows show poisoned ones.
 */
export async function writePreview(
  path: string,
  { clean, attack, training }: { clean: ImageSet; attack: Crafted; training?: PoisonedImages | undefined },
): Promise<void> {
  const { shape } = clean
  const before = pick(clean, clean.labels.keys())
  const labels = clean.labels.slice(0, shown)
  const triggered = scope(() => attack.trigger(tensor(before, [labels.length, ...shape]), labels).bytes())
  const rows = [before, triggered, residual(before, triggered)]
  if (attack.poison && training) {
    const chosen = training.poisoned.truth.poisoned
    const [original, poisoned] = [pick(training.train, chosen), pick(training.poisoned.set, chosen)]
    rows.push(original, poisoned, residual(original, poisoned))
  }
  writeAtomically(path, await sheet(rows, shape))
}

/** The pixels of the first images among those at `indices`. */
function pick({ pixels, shape }: ImageSet, indices: Iterable<number>): Uint8Array {
  const size = imageBytes(shape)
  const chosen = [...indices].slice(0, shown)
  return Uint8Array.from(chosen.flatMap((i) => [...pixels.subarray(i * size, (i + 1) * size)]))
}

const residual = (before: Uint8Array, after: Uint8Array) =>
  before.map((pixel, i) => Math.max(0, Math.min(255, 128 + 8 * ((after[i] as number) - pixel))))

/** Rows of images as a PNG, white between them. */
async function sheet(rows: readonly Uint8Array[], shape: ImageShape): Promise<Buffer> {
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
