import { UserError } from '../errors.ts'
import { formatOf, readFormats, refusal } from './decode-image.ts'

/** A picture with its transparency. */
export interface TransparentPicture {
  readonly width: number
  readonly height: number
  /** uint8, [height, width, 4]: red, green, blue, and 255 where nothing shines through */
  readonly pixels: Uint8Array
}

/** A trigger is small; what takes more memory to decode is no picture for one. */
const mostPixels = 25_000_000

/** Decodes a picture at the given width, its proportions kept; a UserError with the reason where it is none. */
export async function decodePicture(bytes: Uint8Array, width: number): Promise<TransparentPicture> {
  const format = formatOf(bytes)
  if (!readFormats.includes(format ?? '')) throw new UserError('data', refusal(format))
  const { default: sharp } = await import('sharp')
  try {
    const { data, info } = await sharp(bytes, { failOn: 'warning', limitInputPixels: mostPixels, autoOrient: true })
      .resize({ width })
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, pixels: fourChannels(data, info.channels) }
  } catch {
    throw new UserError('data', `not a usable ${format}: it is damaged, cut short or above 25 megapixels`)
  }
}

/** Gray pictures come with two channels, gray and transparency. */
function fourChannels(pixels: Uint8Array, channels: number): Uint8Array {
  if (channels === 4) return pixels
  const result = new Uint8Array((pixels.length / channels) * 4)
  for (let i = 0; i < result.length / 4; i++) {
    const [gray = 0, alpha = 255] = pixels.subarray(channels * i, channels * (i + 1))
    result.set([gray, gray, gray, alpha], 4 * i)
  }
  return result
}
