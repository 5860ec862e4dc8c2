import type { ImageShape } from '../../training/images.ts'

/** Weights of red, green and blue in the brightness (ITU-R BT.601). */
const weights = [0.299, 0.587, 0.114]

/** Brightness of an image, [height, width], 0 to 255; of other than three channels their mean. */
export function brightness(pixels: Uint8Array, [channels, height, width]: ImageShape): Float32Array {
  const area = height * width
  const result = new Float32Array(area)
  for (let c = 0; c < channels; c++) {
    const weight = channels === 3 ? (weights[c] as number) : 1 / channels
    for (let i = 0; i < area; i++) result[i] = (result[i] as number) + weight * (pixels[c * area + i] as number)
  }
  return result
}

export interface GridSize {
  readonly height: number
  readonly width: number
}

/** The picture as means over rows × columns of boxes; a box has at least one pixel. */
export function boxMeans(picture: Float32Array, { height, width }: GridSize, to: GridSize): Float32Array {
  const result = new Float32Array(to.height * to.width)
  for (let row = 0; row < to.height; row++) {
    const [top, bottom] = edges(row, to.height, height)
    for (let column = 0; column < to.width; column++) {
      const [left, right] = edges(column, to.width, width)
      let sum = 0
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += picture[y * width + x] as number
      result[row * to.width + column] = sum / ((bottom - top) * (right - left))
    }
  }
  return result
}

/** Where box `i` of `count` begins and ends among `length` pixels. */
function edges(i: number, count: number, length: number): [from: number, to: number] {
  const from = Math.min(length - 1, Math.floor((i * length) / count))
  return [from, Math.max(from + 1, Math.floor(((i + 1) * length) / count))]
}
