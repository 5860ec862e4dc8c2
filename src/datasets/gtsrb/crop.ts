import type { Encoded } from '../encoded.ts'
import { type Picture, readPpm } from '../ppm.ts'
import type { Annotation } from './annotations.ts'

/** The sign alone where the file is a PPM of the size that the list states, else the whole image. */
export function croppedFile(image: Encoded, annotation: Annotation): Encoded {
  const { region, width, height } = annotation
  return {
    ...image,
    stamp: `${image.stamp} ${region.join(' ')} of ${width} ${height}`,
    async read() {
      const bytes = await image.read()
      return hasListedSize(bytes, annotation) ? writePpm(cut(readPpm(bytes), region)) : bytes
    },
  }
}

/** Whether the file is a PPM of the size that the list states. */
export function hasListedSize(bytes: Uint8Array, { width, height }: Annotation): boolean {
  if (bytes[0] !== 0x50) return false
  const picture = readPpm(bytes)
  return picture.width === width && picture.height === height
}

function cut({ width, pixels }: Picture, [left, top, right, bottom]: Annotation['region']): Picture {
  const result = new Uint8Array(3 * (right - left) * (bottom - top))
  for (let y = top; y < bottom; y++) {
    const row = pixels.subarray(3 * (y * width + left), 3 * (y * width + right))
    result.set(row, (y - top) * row.length)
  }
  return { width: right - left, height: bottom - top, pixels: result }
}

function writePpm({ width, height, pixels }: Picture): Uint8Array {
  return Buffer.concat([Buffer.from(`P6 ${width} ${height} 255\n`), pixels])
}
