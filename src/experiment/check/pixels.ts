import { type ImageSet, imageBytes } from '../../training/images.ts'

/** The pixels of one image, uint8 [channels, height, width]: the only place here that knows how a set holds them. */
export function pixelsOf({ pixels, shape }: ImageSet, i: number): Uint8Array {
  const size = imageBytes(shape)
  return pixels.subarray(i * size, (i + 1) * size)
}
