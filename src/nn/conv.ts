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
  /** the variance of the weights: 2 / (out·kernel²) (He 2015, fan out), 2 / inputs (fan in), or PyTorch's default, 1 / (3·inputs) */
  readonly initial?: 'fan-out' | 'fan-in' | 'default'
}

/** A convolution; weight [out, in / groups, kernel, kernel], normal (`default`: uniform); bias [out], 0 at first, where asked for. */
export function conv(random: Random, form: ConvForm): Conv {
  const { to, kernel, stride = 1, padding = (kernel - 1) / 2, groups = 1 } = form
  const weight = parameter(weightsOf(random, form).to({ channelsLast: true }))
  const bias = form.bias ? parameter(zeros([to], { device: weight.device })) : null
  return {
    parameters: bias ? { weight, bias } : { weight },
    buffers: {},
    forward: (input) => conv2d(input, weight, bias, [stride, stride], [padding, padding], [1, 1], groups),
  }
}

function weightsOf(random: Random, { from, to, kernel, groups = 1, initial = 'fan-out' }: ConvForm): Tensor {
  const inputs = (from / groups) * kernel * kernel
  const shape = [to, from / groups, kernel, kernel]
  if (initial === 'default') return random.uniformTensor(shape, -1 / Math.sqrt(inputs), 1 / Math.sqrt(inputs))
  return random.normalTensor(shape, 0, Math.sqrt(2 / (initial === 'fan-in' ? inputs : to * kernel * kernel)))
}
