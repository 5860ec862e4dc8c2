import { keep } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { changePixels, valueIn } from './pixels.ts'

/** Red, green and blue, 0 to 255. */
export type Color = readonly [red: number, green: number, blue: number]

/** What lies over an image at a place: a color, and how strongly it shows, 0 to 1. */
export interface Veil {
  readonly opacity: number
  readonly color: Color
}

/** The veil at each place: of a pixel's center, from the top left corner, in units of the image's shorter side. */
export type Overlay = (y: number, x: number) => Veil

/** How high and wide an image is in units of its shorter side. */
export function extentOf([, height, width]: ImageShape): { height: number; width: number } {
  const unit = Math.min(height, width)
  return { height: height / unit, width: width / unit }
}

/** x' = (1 − α)·x + α·t for bytes x, with opacity α and color t of one overlay for all images or of one for each. */
export function cover(images: Tensor, overlays: readonly Overlay[]): Tensor {
  const [, channels, height, width] = images.shape as [number, number, number, number]
  return apply(images, veils([channels, height, width], overlays))
}

/** `cover` with one overlay, worked out once. */
export function coverAlike(shape: ImageShape, overlay: Overlay): (images: Tensor) => Tensor {
  const kept = veils(shape, [overlay]).map(keep) as [Tensor, Tensor]
  return (images) => apply(images, kept)
}

function apply(images: Tensor, [added, left]: readonly [Tensor, Tensor]): Tensor {
  return changePixels(images, (pixels) => pixels.mul(left).add(added))
}

/** α·t and 1 − α, [overlays, channels, height, width] both. */
function veils([channels, height, width]: ImageShape, overlays: readonly Overlay[]): readonly [Tensor, Tensor] {
  const [unit, area] = [Math.min(height, width), height * width]
  const added = new Float32Array(overlays.length * channels * area)
  const left = new Float32Array(added.length)
  for (const [k, overlay] of overlays.entries()) {
    for (let at = 0; at < area; at++) {
      const { opacity, color } = overlay((Math.floor(at / width) + 0.5) / unit, ((at % width) + 0.5) / unit)
      for (let channel = 0; channel < channels; channel++) {
        const i = (k * channels + channel) * area + at
        added[i] = opacity * valueIn(color, { channel, channels })
        left[i] = 1 - opacity
      }
    }
  }
  const shape = [overlays.length, channels, height, width]
  return [tensor(added, shape), tensor(left, shape)]
}

/** 0 below `from`, 1 above `to`, smooth between: 3t² − 2t³. */
export function smoothStep(value: number, [from, to]: readonly [number, number]): number {
  const t = Math.min(1, Math.max(0, (value - from) / (to - from)))
  return t * t * (3 - 2 * t)
}
