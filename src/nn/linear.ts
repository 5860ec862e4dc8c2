import type { Random } from '../tensor/random.ts'
import { operator, parameter, type Tensor, zeros } from '../tensor/tensor.ts'
import type { Module } from './module.ts'

const linearly = operator('linear')

export interface Linear extends Module {
  forward(input: Tensor): Tensor
}

/**
 * input·weightᵀ + bias; weight [to, from] and bias [to] uniform within ±1/√from, as PyTorch does, or, given a `deviation`,
 * normal weights and a bias of 0.
 */
export function linear(
  random: Random,
  { from, to, deviation, bias: biased = true }: { from: number; to: number; deviation?: number; bias?: boolean },
): Linear {
  if (deviation !== undefined) {
    const weight = parameter(random.normalTensor([to, from], 0, deviation))
    return linearOf(weight, biased ? parameter(zeros([to], { device: weight.device })) : null)
  }
  const bound = 1 / Math.sqrt(from)
  const weight = parameter(random.uniformTensor([to, from], -bound, bound))
  return linearOf(weight, biased ? parameter(random.uniformTensor([to], -bound, bound)) : null)
}

/** A linear layer of these very tensors. */
export function linearOf(weight: Tensor, bias: Tensor | null): Linear {
  return {
    parameters: bias ? { weight, bias } : { weight },
    buffers: {},
    forward: (input) => linearly(input, weight, bias),
  }
}
