import { UserError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'

/** Bytes as float32 through `change`, rounded and clipped to [0, 255] before they are bytes again. */
export function changePixels(images: Tensor, change: (pixels: Tensor) => Tensor): Tensor {
  return scope(() => toBytes(change(images.to({ dtype: 'float32' }))))
}

/** Pixels in [0, 255] as bytes: rounded, and clipped, so that nothing wraps around. */
export function toBytes(pixels: Tensor): Tensor {
  return scope(() => pixels.round().clamp(0, 255).to({ dtype: 'uint8' }))
}

/** Images of 32 pixels are the measure of the literature: how many pixels of an image stand for one of theirs. */
export function pixelsPerCell([, height, width]: ImageShape): number {
  return Math.max(1, Math.round(Math.min(height, width) / 32))
}

/** A picture by channel, row and column; float32 [1, channels, height, width]. */
export function pictureOf(
  [channels, height, width]: ImageShape,
  value: (channel: number, y: number, x: number) => number,
): Tensor {
  const values = new Float32Array(channels * height * width)
  for (let i = 0; i < values.length; i++) {
    const at = i % (height * width)
    values[i] = value(Math.floor(i / (height * width)), Math.floor(at / width), at % width)
  }
  return tensor(values, [1, channels, height, width])
}

/** What a color, red, green and blue first, is in a channel: of color images its own, of all others its luma by ITU-R BT.601. */
export function valueIn(
  [red = 0, green = 0, blue = 0]: ArrayLike<number> & Iterable<number>,
  { channel, channels }: { channel: number; channels: number },
): number {
  if (channels === 3) return [red, green, blue][channel] as number
  return 0.299 * red + 0.587 * green + 0.114 * blue
}

export type Corner = 'bottom-right' | 'bottom-left' | 'top-right' | 'top-left'

/** A square of `side` pixels, `margin` away from two borders: its first row and column. Refused where it does not fit. */
export function placeSquare(
  { corner, side, margin }: { corner: Corner; side: number; margin: number },
  [, height, width]: ImageShape,
): { top: number; left: number } {
  if (side + margin > Math.min(height, width)) {
    throw new UserError(
      'usage',
      `Cannot place a patch of ${side} pixels with a margin of ${margin} on images of ${height}×${width}: choose a smaller patch or larger images`,
    )
  }
  return {
    top: corner.startsWith('bottom') ? height - margin - side : margin,
    left: corner.endsWith('right') ? width - margin - side : margin,
  }
}
