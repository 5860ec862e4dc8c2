import type { ImageShape } from '../training/images.ts'

/** A rectangle of an image, pixels from its top left corner. */
export interface Rectangle {
  readonly top: number
  readonly left: number
  readonly height: number
  readonly width: number
}

const rowNames = ['top', 'middle', 'bottom']
const columnNames = ['left', 'center', 'right']

/** The ninth of the image that holds more than half of the sum of such non-negative values, [height · width], in words. */
export function placeOf(values: Float32Array, [, height, width]: ImageShape): string | null {
  const ninths = new Float64Array(9)
  for (const [pixel, value] of values.entries()) {
    const ninth = ninthOf(Math.floor(pixel / width), pixel % width, { height, width })
    ninths[ninth] = (ninths[ninth] as number) + value
  }
  const total = ninths.reduce((a, b) => a + b, 0)
  const most = ninths.findIndex((sum) => sum > total / 2)
  return most === -1 ? null : inWords(most)
}

/** The ninth of the image in which a pixel lies, in words. */
export function placeOfPixel(y: number, x: number, size: { readonly height: number; readonly width: number }): string {
  return inWords(ninthOf(y, x, size))
}

function ninthOf(y: number, x: number, { height, width }: { height: number; width: number }): number {
  return 3 * Math.floor((3 * y) / height) + Math.floor((3 * x) / width)
}

const inWords = (ninth: number) => `${rowNames[Math.floor(ninth / 3)]} ${columnNames[ninth % 3]}`

/** Places of the pixels of a rectangle in an image so wide, row by row. */
export function pixelsIn({ top, left, height, width }: Rectangle, imageWidth: number): number[] {
  return Array.from(
    { length: height * width },
    (_, k) => (top + Math.floor(k / width)) * imageWidth + left + (k % width),
  )
}
