import { createHash } from 'node:crypto'
import type { Normalization } from '../nn/classifier.ts'
import { pickRows, type Rows, rowReader, rowsOf } from './rows.ts'

/** Channels, height and width of one image. */
export type ImageShape = readonly [channels: number, height: number, width: number]

/** Labelled images. Never changed in place: poisoning and splitting make new sets, which share the pixels. */
export interface ImageSet {
  readonly rows: Rows
  readonly shape: ImageShape
  /** one class index per image */
  readonly labels: Int32Array
  readonly classes: readonly string[]
  /** where each image came from: a path, or the data set's own name for it */
  readonly names: readonly string[]
  /** one number per image where images come in groups that show one thing (a film's frames), and must not be parted */
  readonly groups?: Int32Array
  /**
   * SHA-256 over shape, classes, labels and pixels (row-major [count, channels, height, width]); names and groups do not
   * count. Computed when it is first asked for, since it reads every pixel.
   */
  readonly hash: string
}

/** What a set is made of: pixels in rows, or as an array uint8 [count, channels, height, width]. */
type Parts = Pick<ImageSet, 'shape' | 'labels' | 'classes' | 'names' | 'groups'> &
  ({ readonly rows: Rows } | { readonly pixels: Uint8Array })

/** An image set from its parts. */
export function imageSet(parts: Parts): ImageSet {
  const { shape, labels, classes, names, groups } = parts
  const bytes = imageBytes(shape)
  const given = 'pixels' in parts ? parts.pixels.length : parts.rows.at.length * parts.rows.bytes
  if (given !== labels.length * bytes || names.length !== labels.length) {
    throw new Error(`An image set's parts do not fit: ${given} bytes, ${labels.length} labels, ${names.length} names`)
  }
  const rows = 'pixels' in parts ? rowsOf(interleaved(parts.pixels, shape), bytes) : parts.rows
  let hash: string | undefined
  const set = { rows, shape, labels, classes, names, ...(groups && { groups }) }
  // Not enumerable: a set made of this one by `...` has a hash of its own.
  return Object.defineProperty(set, 'hash', { get: () => (hash ??= contentHash(set)) }) as ImageSet
}

/** about so many bytes are hashed at a time */
const hashedTogether = 1 << 20

function contentHash(set: Omit<ImageSet, 'hash'>): string {
  const { shape, labels, classes } = set
  const hash = createHash('sha256')
  hash.update(JSON.stringify([shape, classes]))
  hash.update(new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength))
  const together = Math.max(1, Math.floor(hashedTogether / imageBytes(shape)))
  for (let from = 0; from < labels.length; from += together) {
    const count = Math.min(together, labels.length - from)
    hash.update(
      pixelsOf(
        set,
        Array.from({ length: count }, (_, k) => from + k),
      ),
    )
  }
  return hash.digest('hex')
}

/** Bytes of one image. */
export function imageBytes([channels, height, width]: ImageShape): number {
  return channels * height * width
}

/** A copy of the pixels at `indices`, of all images where absent: uint8 [count, channels, height, width]. */
export function pixelsOf({ rows, shape }: Pick<ImageSet, 'rows' | 'shape'>, indices?: ArrayLike<number>): Uint8Array {
  const chosen = indices ?? Int32Array.from(rows.at.keys())
  const area = shape[1] * shape[2]
  const read = rowReader(rows)
  const pixels = new Uint8Array(chosen.length * rows.bytes)
  for (let k = 0; k < chosen.length; k++) {
    const row = read(chosen[k] as number)
    const planes = pixels.subarray(k * rows.bytes, (k + 1) * rows.bytes)
    for (let i = 0, from = 0; i < area; i++) {
      for (let to = i; to < planes.length; to += area) planes[to] = row[from++] as number
    }
  }
  return pixels
}

/** Uint8 [count, channels, height, width] to [count, height, width, channels]. */
export function interleaved(pixels: Uint8Array, [channels, height, width]: ImageShape): Uint8Array {
  const area = height * width
  const bytes = channels * area
  const rows = new Uint8Array(pixels.length)
  for (let from = 0; from < pixels.length; from += bytes) {
    for (let c = 0; c < channels; c++) {
      const plane = from + c * area
      for (let i = 0, to = from + c; i < area; i++, to += channels) rows[to] = pixels[plane + i] as number
    }
  }
  return rows
}

/** The images at `indices`, in that order. */
export function subset(set: ImageSet, indices: ArrayLike<number>): ImageSet {
  const { rows, labels, names, groups } = set
  return imageSet({
    ...set,
    rows: pickRows(rows, indices),
    labels: Int32Array.from(indices, (i) => labels[i] as number),
    names: Array.from(indices, (i) => names[i] as string),
    ...(groups && { groups: Int32Array.from(indices, (i) => groups[i] as number) }),
  })
}

/** Mean and deviation of each channel over the training images, pixels in [0, 1]. */
export function measureNormalization({ rows, shape: [channels, height, width] }: ImageSet): Normalization {
  const area = height * width
  const sums = new Float64Array(channels)
  const squares = new Float64Array(channels)
  const read = rowReader(rows)
  for (let i = 0; i < rows.at.length; i++) {
    const row = read(i)
    for (let c = 0; c < channels; c++) {
      let sum = 0
      let square = 0
      for (let k = c; k < row.length; k += channels) {
        const value = row[k] as number
        sum += value
        square += value * value
      }
      sums[c] = (sums[c] as number) + sum
      squares[c] = (squares[c] as number) + square
    }
  }
  const count = rows.at.length * area
  const mean = Array.from(sums, (sum) => sum / count / 255)
  const deviation = Array.from(
    squares,
    (square, c) => Math.sqrt(Math.max(square / count - (255 * (mean[c] as number)) ** 2, 1)) / 255,
  )
  return { mean, deviation }
}
