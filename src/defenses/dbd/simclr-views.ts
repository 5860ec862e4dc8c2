import type { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import { arange, noGrad, type Tensor, tensor } from '../../tensor/tensor.ts'
import { recolor } from '../../training/color.ts'
import type { ImageShape } from '../../training/images.ts'
import { cropAlong, drawPart, resample } from '../../training/resample.ts'

// The views of contrastive learning (SimCLR, Chen et al. 2020), in this order: a random part of the image brought to its
// full size, mirrored or not; with probability 0.8 brightness, contrast and saturation by factors of 1 ± 0.4 and hue by
// ± 0.1 of a turn, in this order; with 0.2 gray; with 0.5 a Gaussian blur, σ 0.1 to 2 pixels, of 3 pixels for images of
// 32 and of a tenth of the side for larger ones. Where a pixel comes from is linear in rows and in columns: cropping,
// mirroring and blurring are one matrix per image for its rows and one for its columns.

/** One epoch's draws for every sample: a function of the stream (seed, epoch, view) and the sample's number alone. */
export interface ViewDraws {
  /**
   * Per sample: center row and column and half the height and width of the part, as shares of the image (a negative
   * width mirrors), brightness, contrast, saturation, hue, gray (0 or 1), σ of the blur (0: none)
   */
  readonly table: Float32Array
}

const drawsPerSample = 10
/** the share of the image that a part has at least */
const leastArea = 0.2

export function drawViews(
  random: Random,
  count: number,
  { shape, flip }: { shape: ImageShape; flip: boolean },
): ViewDraws {
  const between = (low: number, high: number) => low + (high - low) * random.uniform()
  const table = new Float32Array(count * drawsPerSample)
  for (let i = 0; i < count; i++) {
    const [height, width] = drawPart(random, shape, leastArea)
    const center = [between(height / 2, 1 - height / 2), between(width / 2, 1 - width / 2)]
    const mirrored = flip && random.uniform() < 0.5
    const jittered = random.uniform() < 0.8
    const factors = [between(0.6, 1.4), between(0.6, 1.4), between(0.6, 1.4), between(-0.1, 0.1)]
    const gray = random.uniform() < 0.2 ? 1 : 0
    const blurred = random.uniform() < 0.5
    const deviation = between(0.1, 2)
    const colors = jittered ? factors : [1, 1, 1, 0]
    const halves = [height / 2, mirrored ? -width / 2 : width / 2]
    table.set([...center, ...halves, ...colors, gray, blurred ? deviation : 0], i * drawsPerSample)
  }
  return { table }
}

/** Views of images in [0, 1], [indices, channels, height, width] on any device: `indices` says whose draws are theirs. */
export function makeViews(images: Tensor, { table }: ViewDraws, indices: Int32Array): Tensor {
  const [height, width] = images.shape.slice(2) as [number, number]
  const { device } = images
  const drawn = (sample: number, k: number) => table[sample * drawsPerSample + k] as number
  const recolorings = Array.from(indices, (sample) => ({
    brightness: drawn(sample, 4),
    contrast: drawn(sample, 5),
    saturation: drawn(sample, 6),
    hue: drawn(sample, 7),
    gray: drawn(sample, 8) === 1,
  }))
  const axis = (offset: 0 | 1, length: number) => {
    const places = Array.from(indices, (sample) => ({ center: drawn(sample, offset), half: drawn(sample, 2 + offset) }))
    const blurs = Float32Array.from(indices, (sample) => drawn(sample, 9))
    return blurAlong(blurs, length, device).matmul(cropAlong(places, length, device))
  }
  return noGrad(() =>
    scope(() => {
      return recolor(resample(images, axis(0, height), axis(1, width)), recolorings)
    }),
  )
}

/** [deviations, length, length]: a Gaussian around each pixel, cut off at the kernel's radius and at the image's borders. */
function blurAlong(deviations: Float32Array, length: number, device: string): Tensor {
  const radius = Math.max(1, Math.floor(length / 20))
  const falloff = deviations.map((deviation) => (deviation > 0 ? -1 / (2 * deviation ** 2) : -1e4))
  const pixels = arange(length, { device }).to({ dtype: 'float32' })
  const squared = pixels.unsqueeze(1).sub(pixels).square()
  const near = squared.lt(radius ** 2 + 0.5).to({ dtype: 'float32' })
  const weights = squared
    .mul(tensor(falloff, [deviations.length, 1, 1]).to({ device }))
    .exp()
    .mul(near)
  return weights.div(weights.sum([2], true))
}
