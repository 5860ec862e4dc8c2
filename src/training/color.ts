import { scope } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'

/** What happens to the colors of one image, in this order; 1, 1, 1, 0, false changes nothing. */
export interface Recoloring {
  /** factor of all values */
  readonly brightness: number
  /** factor of the distance from the image's mean gray */
  readonly contrast: number
  /** factor of the distance of each pixel from its own gray */
  readonly saturation: number
  /** turns around the gray axis: 1/3 takes red to green, green to blue */
  readonly hue: number
  /** whether all three channels become the gray */
  readonly gray: boolean
}

type Matrix = readonly (readonly number[])[]

/** How much each channel counts in gray (ITU-R BT.601). */
const luma = [0.299, 0.587, 0.114] as const
const toGray: Matrix = [luma, luma, luma]

/**
 * Images [count, channels, height, width], each recolored its own way. All steps are linear, so that together they are
 * one 3×3 matrix per image, and another for its mean color, both made on the host; values are clamped to [0, 1] once, at
 * the end, where others clamp after each step, and hue turns around the gray axis where others go by way of HSV. Images
 * of other than three channels have brightness and contrast alone.
 */
export function recolor(images: Tensor, recolorings: readonly Recoloring[]): Tensor {
  return scope(() => {
    const [count, channels, height, width] = images.shape as [number, number, number, number]
    const upload = (matrices: readonly Matrix[]) =>
      tensor(Float32Array.from(matrices.flat(2)), [count, channels, channels]).to({ device: images.device })
    const pixels = images.reshape(count, channels, height * width)
    const own = upload(recolorings.map((each) => ofPixel(each, channels)))
    const ofMean = upload(recolorings.map((each) => ofMeanColor(each, channels)))
    return own
      .matmul(pixels)
      .add(ofMean.matmul(pixels.mean([2], true)))
      .clamp(0, 1)
      .reshape(count, channels, height, width)
  })
}

/** gray · hue · saturation · contrast · brightness */
function ofPixel({ brightness, contrast, saturation, hue, gray }: Recoloring, channels: number): Matrix {
  const plain = scaled(identity(channels), contrast * brightness)
  if (channels !== 3) return plain
  const saturated = product(sum(scaled(identity(3), saturation), scaled(toGray, 1 - saturation)), plain)
  const recolored = product(turned(hue), saturated)
  return gray ? product(toGray, recolored) : recolored
}

/** (1 − contrast) · brightness · the gray of the mean, which the steps after it leave alone. */
function ofMeanColor({ brightness, contrast }: Recoloring, channels: number): Matrix {
  const mean = Array.from({ length: channels }, () => new Array<number>(channels).fill(1 / channels))
  return scaled(channels === 3 ? toGray : mean, (1 - contrast) * brightness)
}

/** The rotation around (1, 1, 1). */
function turned(turns: number): Matrix {
  const [cos, sin] = [Math.cos(2 * Math.PI * turns), Math.sin(2 * Math.PI * turns)]
  const a = (1 + 2 * cos) / 3
  const b = (1 - cos) / 3 - sin / Math.sqrt(3)
  const c = (1 - cos) / 3 + sin / Math.sqrt(3)
  return [
    [a, b, c],
    [c, a, b],
    [b, c, a],
  ]
}

const identity = (size: number): Matrix =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)))
const scaled = (a: Matrix, by: number): Matrix => a.map((row) => row.map((value) => value * by))
const sum = (a: Matrix, b: Matrix): Matrix =>
  a.map((row, i) => row.map((value, j) => value + ((b[i] as readonly number[])[j] as number)))
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) =>
    row.map((_, j) => row.reduce((total, value, k) => total + value * ((b[k] as readonly number[])[j] as number), 0)),
  )
