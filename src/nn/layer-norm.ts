import { full, operator, parameter, type Tensor, zeros } from '../tensor/tensor.ts'
import type { Module } from './module.ts'

const normalize = operator('layer_norm')

export interface LayerNorm extends Module {
  forward(input: Tensor): Tensor
}

/** Layer normalization (Ba et al. 2016) over the last dimension, fp32 [..., width]. */
export function layerNorm(width: number, { epsilon = 1e-5 }: { epsilon?: number } = {}): LayerNorm {
  const weight = parameter(full([width], 1))
  const bias = parameter(zeros([width]))
  return {
    parameters: { weight, bias },
    buffers: {},
    forward: (input) => normalize(input.to({ dtype: 'float32' }), [width], weight, bias, epsilon),
  }
}
