import type { Random } from '../tensor/random.ts'
import { keep } from '../tensor/scope.ts'
import { noGrad, operator, type Tensor } from '../tensor/tensor.ts'
import type { Linear } from './linear.ts'
import type { Mode } from './module.ts'

const linearly = operator('linear')

/**
 * A linear layer whose weight is divided by its largest singular value σ (Miyato 2018), estimated by one step of power
 * iteration per training forward: u ← Wv/‖·‖, v ← Wᵀu/‖·‖, σ = uᵀWv.
 */
export function spectralNorm(random: Random, layer: Linear) {
  const weight = layer.parameters.weight as Tensor
  const bias = layer.parameters.bias as Tensor
  const u = keep(normalized(random.normalTensor([weight.size(0)])))
  const v = keep(normalized(random.normalTensor([weight.size(1)])))
  return {
    parameters: layer.parameters,
    buffers: { u, v },
    forward(input: Tensor, mode: Mode): Tensor {
      if (mode === 'train') {
        noGrad(() => {
          u.copy_(normalized(weight.matmul(v)))
          v.copy_(normalized(weight.transpose(0, 1).matmul(u)))
        })
      }
      const sigma = u.clone().matmul(weight.matmul(v.clone()))
      return linearly(input, weight.div(sigma), bias)
    },
  }
}

function normalized(vector: Tensor): Tensor {
  return vector.div(vector.norm().clamp(1e-12, null))
}
