import { UserError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import type { Tensor } from '../tensor/tensor.ts'
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
