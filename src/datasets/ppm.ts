import { UserError } from '../errors.ts'

/** A decoded image. */
export interface Picture {
  readonly width: number
  readonly height: number
  /** uint8, [height, width, 3]; may be a view of the file's bytes */
  readonly pixels: Uint8Array
}

/** Images of more pixels are refused, whatever their format. */
export const mostPixels = 100_000_000

/**
 * A PPM, raw (P6) or in digits (P3), with samples of 8 or 16 bits, which are scaled to 8; the first image of several.
 * A UserError with the reason where the bytes are no such thing. No memory is taken before the bytes are seen to be there.
 */
export function readPpm(bytes: Uint8Array): Picture {
  const raw = bytes[0] === 0x50 && bytes[1] === 0x36
  if (!raw && !(bytes[0] === 0x50 && bytes[1] === 0x33)) throw broken('the file does not begin with P6 or P3')
  const numbers = { bytes, at: 2 }
  const [width, height, most] = [readNumber(numbers), readNumber(numbers), readNumber(numbers)]
  if (width * height === 0) throw broken(`its size is ${width}×${height}`)
  if (width * height > mostPixels) throw broken(`${width}×${height} is more than 100 megapixels`)
  if (most < 1 || most > 65535) throw broken(`its largest value is ${most}, not from 1 to 65535`)
  const samples = { count: width * height * 3, most }
  return { width, height, pixels: raw ? rawSamples(numbers, samples) : digitSamples(numbers, samples) }
}

interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

interface Samples {
  readonly count: number
  readonly most: number
}

function rawSamples({ bytes, at }: Cursor, { count, most }: Samples): Uint8Array {
  const wide = most > 255
  // one white space, then the samples
  const start = at + 1
  const needed = wide ? 2 * count : count
  const present = Math.max(0, bytes.length - start)
  if (present < needed) throw broken(`it is cut short: ${present} of ${needed} bytes of pixels are there`)
  if (most === 255) return bytes.subarray(start, start + count)
  const pixels = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    const from = start + (wide ? 2 * i : i)
    const value = wide ? (bytes[from] as number) * 256 + (bytes[from + 1] as number) : (bytes[from] as number)
    pixels[i] = toByte(value, most)
  }
  return pixels
}

function digitSamples(numbers: Cursor, { count, most }: Samples): Uint8Array {
  // a digit and a space for each
  const present = Math.floor((numbers.bytes.length - numbers.at) / 2)
  if (present < count) throw broken(`it is cut short: at most ${present} of ${count} values are there`)
  const pixels = new Uint8Array(count)
  for (let i = 0; i < count; i++) pixels[i] = toByte(readNumber(numbers), most)
  return pixels
}

function toByte(value: number, most: number): number {
  if (value > most) throw broken(`a value of ${value} is above its largest value of ${most}`)
  return Math.round((value * 255) / most)
}

/** The next number, after white space and comments. */
function readNumber(cursor: Cursor): number {
  const { bytes } = cursor
  let at = cursor.at
  while (isSpace(bytes[at]) || bytes[at] === 0x23 /* # */) {
    if (bytes[at] === 0x23) while (at < bytes.length && bytes[at] !== 0x0a && bytes[at] !== 0x0d) at++
    else at++
  }
  const from = at
  let value = 0
  while (isDigit(bytes[at])) {
    value = value * 10 + (bytes[at++] as number) - 0x30
    if (at - from > 9) throw broken('a number has more than nine digits')
  }
  if (at === from) throw broken(at >= bytes.length ? 'it is cut short' : `byte ${at} should be a number`)
  if (at < bytes.length && !isSpace(bytes[at])) throw broken(`byte ${at} should be white space`)
  cursor.at = at
  return value
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d)
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function broken(reason: string): UserError {
  return new UserError('data', `not a usable PPM: ${reason}`)
}
