import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { arange, type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from './images.ts'

// Where a pixel comes from is linear in rows and in columns: cropping, mirroring and blurring are one matrix per image for
// its rows and one for its columns.

/** Images [count, channels, height, width] by `rows` [count, height, height] and `columns` [count, width, width]. */
export function resample(images: Tensor, rows: Tensor, columns: Tensor): Tensor {
  const [count, channels, height, width] = images.shape as [number, number, number, number]
  return scope(() => {
    const across = images.reshape(count, channels * height, width).matmul(columns.transpose(1, 2))
    return rows.unsqueeze(1).matmul(across.reshape(count, channels, height, width))
  })
}

/**
 * Height and width of a random part as shares of the image: `leastArea` to 1 of its area, 3/4 to 4/3 as wide as high; all
 * of the image where ten draws do not fit.
 */
export function drawPart(
  random: Random,
  [, height, width]: ImageShape,
  leastArea: number,
): readonly [height: number, width: number] {
  for (let trial = 0; trial < 10; trial++) {
    const area = (leastArea + (1 - leastArea) * random.uniform()) * height * width
    const aspect = (3 / 4) ** (1 - 2 * random.uniform())
    const [rows, columns] = [Math.sqrt(area / aspect), Math.sqrt(area * aspect)]
    if (rows <= height && columns <= width) return [rows / height, columns / width]
  }
  return [1, 1]
}

/** A part of an image along one axis, as shares of its length; a negative half mirrors. */
export interface Part {
  readonly center: number
  readonly half: number
}

/** [parts, length, length]: how much of each pixel (column) is in each pixel of the enlarged part (row), bilinearly. */
export function cropAlong(parts: readonly Part[], length: number, device: string): Tensor {
  const from = new Float32Array(parts.length * length)
  parts.forEach(({ center, half }, n) => {
    for (let i = 0; i < length; i++) {
      const at = (center + half * ((2 * i + 1) / length - 1)) * length - 0.5
      from[n * length + i] = Math.min(Math.max(at, 0), length - 1)
    }
  })
  const pixels = arange(length, { device }).to({ dtype: 'float32' })
  const distance = tensor(from, [parts.length, length, 1]).to({ device }).sub(pixels).abs()
  return distance.neg().add(1).relu()
}
