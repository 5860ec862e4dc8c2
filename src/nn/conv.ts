import type { Random } from '../tensor/random.ts'
import { operator, parameter, type Tensor } from '../tensor/tensor.ts'
import type { Module } from './module.ts'

const conv2d = operator('conv2d')

export interface Conv extends Module {
  forward(input: Tensor): Tensor
}

/** A convolution without bias; weight [out, in, kernel, kernel], normal with variance 2 / (out·kernel²) (He 2015, fan out). */
export function conv(
  random: Random,
  { from, to, kernel, stride = 1 }: { from: number; to: number; kernel: number; stride?: number },
): Conv {
  const deviation = Math.sqrt(2 / (to * kernel * kernel))
  const weight = parameter(random.normalTensor([to, from, kernel, kernel], 0, deviation).to({ channelsLast: true }))
  const padding = (kernel - 1) / 2
  return {
    parameters: { weight },
    buffers: {},
    forward: (input) => conv2d(input, weight, null, [stride, stride], [padding, padding]),
  }
}
