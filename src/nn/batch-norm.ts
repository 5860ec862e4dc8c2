import { keep } from '../tensor/scope.ts'
import { full, operator, parameter, type Tensor, zeros } from '../tensor/tensor.ts'
import type { Mode, Module } from './module.ts'

const batchNormalize = operator('batch_norm')

export interface BatchNorm extends Module {
  forward(input: Tensor, mode: Mode): Tensor
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
    forward: (input, mode) => batchNormalize(input, weight, bias, mean, variance, mode === 'train', 0.1, 1e-5, true),
  }
}
