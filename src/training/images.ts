import { createHash } from 'node:crypto'
import type { Normalization } from '../nn/classifier.ts'

/** Channels, height and width of one image. */
export type ImageShape = readonly [channels: number, height: number, width: number]

/** Labelled images in memory. Never changed in place: poisoning and splitting make new sets. */
export interface ImageSet {
  /** uint8 pixels, [count, channels, height, width] in row-major order */
  readonly pixels: Uint8Array
  readonly shape: ImageShape
  /** one class index per image */
  readonly labels: Int32Array
  readonly classes: readonly string[]
  /** where each image came from: a path, or the data set's own name for it */
  readonly names: readonly string[]
  /** SHA-256 over shape, classes, labels and pixels; names do not count */
  readonly hash: string
}

/** An image set and its hash from its parts. */
export function imageSet(parts: Omit<ImageSet, 'hash'>): ImageSet {
  const [channels, height, width] = parts.shape
  const count = parts.labels.length
  if (parts.pixels.length !== count * channels * height * width || parts.names.length !== count) {
    throw new Error(
      `An image set's parts do not fit: ${parts.pixels.length} bytes, ${count} labels, ${parts.names.length} names`,
    )
  }
  const hash = createHash('sha256')
  hash.update(JSON.stringify([parts.shape, parts.classes]))
  hash.update(new Uint8Array(parts.labels.buffer, parts.labels.byteOffset, parts.labels.byteLength))
  hash.update(parts.pixels)
  return { ...parts, hash: hash.digest('hex') }
}

/** Bytes of one image. */
export function imageBytes([channels, height, width]: ImageShape): number {
  return channels * height * width
}

/** The images at `indices`, in that order. */
export function subset(set: ImageSet, indices: ArrayLike<number>): ImageSet {
  const size = imageBytes(set.shape)
  const pixels = new Uint8Array(indices.length * size)
  const labels = new Int32Array(indices.length)
  const names: string[] = []
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] as number
    pixels.set(set.pixels.subarray(from * size, (from + 1) * size), i * size)
    labels[i] = set.labels[from] as number
    names.push(set.names[from] as string)
  }
  return imageSet({ pixels, labels, names, shape: set.shape, classes: set.classes })
}

/** Mean and deviation of each channel over the training images, pixels in [0, 1]. */
export function measureNormalization({ pixels, shape, labels }: ImageSet): Normalization {
  const [channels, height, width] = shape
  const area = height * width
  const sums = new Float64Array(channels)
  const squares = new Float64Array(channels)
  for (let i = 0; i < labels.length; i++) {
    for (let c = 0; c < channels; c++) {
      const from = i * imageBytes(shape) + c * area
      let sum = 0
      let square = 0
      for (let k = from; k < from + area; k++) {
        const value = pixels[k] as number
        sum += value
        square += value * value
      }
      sums[c] = (sums[c] as number) + sum
      squares[c] = (squares[c] as number) + square
    }
  }
  const count = labels.length * area
  const mean = Array.from(sums, (sum) => sum / count / 255)
  const deviation = Array.from(
    squares,
    (square, c) => Math.sqrt(Math.max(square / count - (255 * (mean[c] as number)) ** 2, 1)) / 255,
  )
  return { mean, deviation }
}
