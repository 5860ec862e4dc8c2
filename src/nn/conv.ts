import type { Random } from '../tensor/random.ts'
import { operator, parameter, type Tensor, zeros } from '../tensor/tensor.ts'
import type { Module } from './module.ts'

const conv2d = operator('conv2d')

export interface Conv extends Module {
  forward(input: Tensor): Tensor
}

export interface ConvForm {
  readonly from: number
  readonly to: number
  readonly kernel: number
  readonly stride?: number
  /** on every side; by default as much as keeps the size at stride 1 with an odd kernel */
  readonly padding?: number
  /** in so many groups of channels; as many as there are channels make a depthwise convolution */
  readonly groups?: number
  readonly bias?: boolean
}

/**
 * A convolution; weight [out, in / groups, kernel, kernel], normal with variance 2 / (out·kernel²) (He 2015, fan out); bias
 * [out], 0 at first, where asked for.
 */
export function conv(
  random: Random,
  { from, to, kernel, stride = 1, padding = (kernel - 1) / 2, groups = 1, bias: biased = false }: ConvForm,
): Conv {
  const deviation = Math.sqrt(2 / (to * kernel * kernel))
  const drawn = random.normalTensor([to, from / groups, kernel, kernel], 0, deviation)
  const weight = parameter(drawn.to({ channelsLast: true }))
  const bias = biased ? parameter(zeros([to], { device: weight.device })) : null
  return {
    parameters: bias ? { weight, bias } : { weight },
    buffers: {},
    forward: (input) => conv2d(input, weight, bias, [stride, stride], [padding, padding], [1, 1], groups),
  }
}
