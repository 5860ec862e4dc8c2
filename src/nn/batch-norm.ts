import { keep } from '../tensor/scope.ts'
import { full, operator, parameter, type Tensor, zeros } from '../tensor/tensor.ts'
import type { Mode, Module } from './module.ts'

// Ours, in native/batch_norm.cc: they read and write memory as seldom as the statistics allow.
const batchNormalize = operator('deconfound::batch_norm')
const batchNormalizeRelu = operator('deconfound::batch_norm_relu')
const addBatchNormalizeRelu = operator<[Tensor, Tensor]>('deconfound::add_batch_norm_relu')

export interface BatchNorm extends Module {
  forward(input: Tensor, mode: Mode): Tensor
  /** relu(forward(input)) */
  relu(input: Tensor, mode: Mode): Tensor
  /** [input + addend, relu(forward(input + addend))] */
  addRelu(input: Tensor, addend: Tensor, mode: Mode): [Tensor, Tensor]
}

/** Batch normalization (Ioffe and Szegedy 2015) over [batch, channels, height, width]; running statistics move by 0.1. */
export function batchNorm(channels: number): BatchNorm {
  const weight = parameter(full([channels], 1))
  const bias = parameter(zeros([channels]))
  const mean = keep(zeros([channels]))
  const variance = keep(full([channels], 1))
  return {
    parameters: { weight, bias },
    buffers: { running_mean: mean, running_var: variance },
    forward: (input, mode) => batchNormalize(input, weight, bias, mean, variance, mode === 'train', 0.1, 1e-5),
    relu: (input, mode) => batchNormalizeRelu(input, weight, bias, mean, variance, mode === 'train', 0.1, 1e-5),
    addRelu: (input, addend, mode) =>
      addBatchNormalizeRelu(input, addend, weight, bias, mean, variance, mode === 'train', 0.1, 1e-5),
  }
}
