import type { Random } from '../tensor/random.ts'
import { operator, parameter, type Tensor } from '../tensor/tensor.ts'
import type { Module } from './module.ts'

const linearly = operator('linear')

export interface Linear extends Module {
  forward(input: Tensor): Tensor
}

/** input·weightᵀ + bias; weight [to, from] and bias [to] uniform within ±1/√from, as PyTorch does. */
export function linear(random: Random, { from, to }: { from: number; to: number }): Linear {
  const bound = 1 / Math.sqrt(from)
  const weight = parameter(random.uniformTensor([to, from], -bound, bound))
  const bias = parameter(random.uniformTensor([to], -bound, bound))
  return linearOf(weight, bias)
}

/** A linear layer of these very tensors. */
export function linearOf(weight: Tensor, bias: Tensor): Linear {
  return { parameters: { weight, bias }, buffers: {}, forward: (input) => linearly(input, weight, bias) }
}
