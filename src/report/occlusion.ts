import { type ImageSet, imageSet, subset } from '../training/images.ts'
import { rowReader, rowsOf } from '../training/rows.ts'
import type { AskedModel } from './asked-model.ts'
import { pixelsIn, type Rectangle } from './place.ts'

// An occlusion map (Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901): a square slides over an image, and where the
// probability of a class drops, what the square covers spoke for the class.

/** side of the square / shorter side of the image */
const squareShare = 1 / 6
/** seconds that covered images may take, since a report shall come soon */
const usualSeconds = 2
/** mean probability of the label: below, the model does not see what the images share */
const leastProbability = 0.3
/** the largest drop of the probability: below, no place stands out */
const leastDrop = 0.2
/** the largest drop is at least so many times the median drop over the image, or no place stands out */
const aboveMedian = 2

/** What covering parts of images does to the probability of their label. */
export interface Occlusion {
  /** mean probability of the label where nothing is covered */
  readonly probability: number
  /** side of the square, pixels */
  readonly side: number
  /** images that the drop is a mean over */
  readonly images: number
  /** drop of the probability, mean over the squares on a pixel and over images, [height · width]; null where it says nothing */
  readonly drop: Float32Array | null
}

/** What is covered, and with what. */
interface Covering {
  /** places of images */
  readonly shown: ArrayLike<number>
  /** a row of bytes, seen in place of what is covered */
  readonly ground: Uint8Array
  readonly model: AskedModel
  /** no further image is covered after so long; of a slow model the first gets fewer squares */
  readonly seconds?: number
}

/** Slides a square over images. */
export async function occlusion(
  images: ImageSet,
  { shown, ground, model, seconds = usualSeconds }: Covering,
): Promise<Occlusion> {
  const [, height, width] = images.shape
  const side = Math.max(3, Math.round(squareShare * Math.min(height, width)))
  const began = performance.now()
  const passed = () => (performance.now() - began) / 1000
  const plain = await model.probabilities(subset(images, shown))
  const probability = plain.reduce((a, b) => a + b, 0) / plain.length
  if (probability < leastProbability) return { probability, side, images: 0, drop: null }

  const perImage = passed() / plain.length
  const fine = squaresOver({ height, width }, side, Math.ceil(side / 2))
  const squares = fine.length * perImage > seconds ? squaresOver({ height, width }, side, side) : fine
  const drops = new Float32Array(squares.length)
  let count = 0
  while (count < plain.length && (count === 0 || passed() < seconds)) {
    const covered = withSquares(images, shown[count] as number, { squares, ground })
    for (const [s, left] of (await model.probabilities(covered)).entries()) {
      drops[s] = (drops[s] as number) + (plain[count] as number) - left
    }
    count++
  }
  const drop = perPixel(drops, squares, { height, width }).map((sum) => sum / count)
  return { probability, side, images: count, drop: standsOut(drop) ? drop : null }
}

interface Size {
  readonly height: number
  readonly width: number
}

/** Squares a step apart, cut at the image's border, so that as many lie on a corner as in the middle. */
function squaresOver({ height, width }: Size, side: number, step: number): Rectangle[] {
  const along = (length: number) => {
    const first = -Math.floor(side / 2)
    return Array.from({ length: Math.ceil(length / step) + 1 }, (_, k) => {
      const from = first + k * step
      return { from: Math.max(0, from), length: Math.min(length, from + side) - Math.max(0, from) }
    }).filter((part) => part.length > 0)
  }
  return along(height).flatMap((y) =>
    along(width).map((x) => ({ top: y.from, left: x.from, height: y.length, width: x.length })),
  )
}

/** The image at `place`, once with each square. */
function withSquares(
  images: ImageSet,
  place: number,
  { squares, ground }: { squares: readonly Rectangle[]; ground: Uint8Array },
): ImageSet {
  const [channels, , width] = images.shape
  const row = rowReader(images.rows)(place)
  const pixels = new Uint8Array(squares.length * row.length)
  for (const [s, square] of squares.entries()) {
    const covered = pixels.subarray(s * row.length, (s + 1) * row.length)
    covered.set(row)
    for (const pixel of pixelsIn(square, width)) {
      covered.set(ground.subarray(pixel * channels, (pixel + 1) * channels), pixel * channels)
    }
  }
  return imageSet({
    ...subset(images, new Int32Array(squares.length).fill(place)),
    rows: rowsOf(pixels, row.length),
  })
}

/** Mean over the squares that lie on a pixel. */
function perPixel(drops: Float32Array, squares: readonly Rectangle[], { height, width }: Size): Float32Array {
  const sums = new Float32Array(height * width)
  const counts = new Float32Array(height * width)
  for (const [s, square] of squares.entries()) {
    for (const pixel of pixelsIn(square, width)) {
      sums[pixel] = (sums[pixel] as number) + (drops[s] as number)
      counts[pixel] = (counts[pixel] as number) + 1
    }
  }
  return sums.map((sum, pixel) => sum / (counts[pixel] as number))
}

function standsOut(drop: Float32Array): boolean {
  const sorted = drop.slice().sort()
  const largest = sorted.at(-1) as number
  return largest >= leastDrop && largest >= aboveMedian * (sorted[Math.floor(sorted.length / 2)] as number)
}
