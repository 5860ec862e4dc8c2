import { UserError } from '../errors.ts'
import { mendScans } from './jpeg-scans.ts'
import { mostPixels, type Picture, readPpm } from './ppm.ts'

/** How an image becomes a square of `size` pixels. */
export interface DecodeOptions {
  readonly size: number
  /** cover: scale the shorter side and cut the middle out; contain: scale the longer side and pad; stretch: neither */
  readonly fit: 'cover' | 'contain' | 'stretch'
  /** what transparent parts lie on, and what stands beside an image that does not fill the square */
  readonly ground: 'black' | 'white'
}

/** Raised whenever the same file may give other pixels than before, so that no kept decoded image outlives its rule. */
export const decodeRules = 2

/** what an image may take in memory while it is decoded */
const mostMemory = 350_000_000
/** Up to this size an image is decoded unasked. Larger ones are looked at first, and decoded one at a time. */
const fewPixels = 3_000_000

/** Turns a file's bytes into uint8 [size, size, 3]; a UserError whose message is the reason where it cannot. */
export interface Decoder {
  /** names the libraries whose versions the pixels depend on */
  readonly version: string
  decode(bytes: Uint8Array): Promise<Uint8Array>
}

/** A decoder, with sharp loaded: late, because most commands need none. */
export async function createDecoder({ size, fit, ground }: DecodeOptions): Promise<Decoder> {
  const { default: sharp } = await import('sharp')
  // images are decoded side by side, so each by one thread; no two are alike, so nothing is worth keeping
  sharp.concurrency(1)
  sharp.cache(false)
  const background = ground === 'black' ? '#000000' : '#ffffff'
  const resize = { fit: fit === 'stretch' ? 'fill' : fit, background } as const

  const pipeline = (bytes: Uint8Array, limitInputPixels: number) =>
    sharp(bytes, { failOn: 'warning', limitInputPixels, autoOrient: true })
      .flatten({ background })
      .resize(size, size, resize)
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
  let bigOnes: Promise<unknown> = Promise.resolve()

  async function decodeSharp(bytes: Uint8Array, format: string): Promise<Uint8Array> {
    try {
      // a TIFF may hold any kind of number
      if (format !== 'tiff') return rgb(await pipeline(bytes, fewPixels).toBuffer(), size)
    } catch (error) {
      if (!isTooLarge(error as Error)) throw error
    }
    const image = pipeline(bytes, mostPixels)
    const found = await image.metadata()
    if (found.format !== format && !(found.format === 'heif' && format === 'avif'))
      throw new UserError('data', `its content is ${found.format}`)
    if (found.depth !== 'uchar' && found.depth !== 'ushort')
      throw new UserError('data', `its values are of type ${found.depth}, not whole numbers of 8 or 16 bits`)
    const sampleBytes = found.depth === 'uchar' ? 1 : 2
    // a progressive or interlaced image is held whole, a JPEG as coefficients of two bytes
    const memory = found.width * found.height * found.channels * sampleBytes * (found.isProgressive ? 2 : 1)
    if (memory > mostMemory)
      throw new UserError('data', `decoding it takes ${Math.round(memory / 1e6)} MB, more than 350`)
    const turn = bigOnes.then(() => image.toBuffer())
    bigOnes = turn.catch(() => undefined)
    return rgb(await turn, size)
  }

  async function decodePpm({ width, height, pixels }: Picture): Promise<Uint8Array> {
    if (width === size && height === size) return pixels
    const image = sharp(pixels, { raw: { width, height, channels: 3 } })
    return image.resize(size, size, resize).raw().toBuffer()
  }

  return {
    version: `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}, ${process.arch}`,
    async decode(bytes) {
      if (bytes.length === 0) throw new UserError('data', 'it is empty')
      const format = formatOf(bytes)
      if (format === 'ppm') return decodePpm(readPpm(bytes))
      // what libvips might make of other content is never found out: it would run its readers of SVG and PDF
      if (!readFormats.includes(format ?? '')) throw new UserError('data', refusal(format))
      try {
        return await decodeSharp(format === 'jpeg' ? mendScans(bytes) : bytes, format as string)
      } catch (error) {
        throw new UserError('data', `not a usable ${format}: ${reasonOf(error as Error)}`)
      }
    },
  }
}

/** [size, size, 3], of [size, size, 1] too, which is gray. */
function rgb(pixels: Uint8Array, size: number): Uint8Array {
  const channels = pixels.length / size ** 2
  if (channels === 3) return pixels
  if (channels !== 1) throw new Error(`${channels} channels came out of its decoder`)
  const result = new Uint8Array(3 * pixels.length)
  for (const [i, value] of pixels.entries()) result.fill(value, 3 * i, 3 * i + 3)
  return result
}

/** Formats that are read by sharp; of several frames or pages the first. */
export const readFormats: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif']

/** What files of other formats begin with, to say what they are. */
const beginnings: readonly (readonly [start: string, format: string])[] = [
  ['\xff\xd8\xff', 'jpeg'],
  ['\x89PNG\r\n\x1a\n', 'png'],
  ['P6', 'ppm'],
  ['P3', 'ppm'],
  ['GIF8', 'gif'],
  ['BM', 'bmp'],
  ['II*\0', 'tiff'],
  ['MM\0*', 'tiff'],
  ['%PDF', 'pdf'],
  ['\0\0\0\x0cJXL ', 'jxl'],
]

/** The format of a file by its content; null where that is nothing known. */
export function formatOf(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 400)).toString('latin1')
  if (head.startsWith('RIFF') && head.startsWith('WEBPVP8', 8)) return 'webp'
  if (head.startsWith('ftypavi', 4)) return 'avif'
  if (head.startsWith('ftyp', 4)) return 'heif'
  const begun = beginnings.find(([start]) => head.startsWith(start))
  // last, since pixels may spell anything
  return begun?.[1] ?? (/<svg|<\?xml/i.test(head) ? 'svg' : null)
}

/** Why a file of this format is not read. */
export function refusal(format: string | null): string {
  const facts = format === null ? 'its content is no image that is known here' : `its content is ${format}`
  return `${facts}; ${readFormats.join(', ')} and ppm are read`
}

function isTooLarge({ message }: Error): boolean {
  return message.includes('pixel limit')
}

/**
 * Why an image did not decode. What libvips says is not told: its messages are kept in one place for all images that
 * are decoded at a time, so that they may be another's.
 */
function reasonOf(error: Error): string {
  if (error instanceof UserError) return error.message
  return isTooLarge(error) ? 'it has more than 100 megapixels' : 'it is damaged or cut short'
}
