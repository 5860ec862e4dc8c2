import { keep } from '../tensor/scope.ts'
import { foreach, noGrad, type Tensor } from '../tensor/tensor.ts'
import type { NamedTensors } from './module.ts'
import { type Optimizer, optimizer } from './optimizer.ts'

export interface SgdOptions {
  readonly momentum?: number
  readonly weightDecay?: number
  readonly nesterov?: boolean
}

/** Stochastic gradient descent with momentum m and weight decay, as in PyTorch: v ← m·v + g, p ← p − rate·(g + m·v if Nesterov, else v). */
export function sgd(
  parameters: NamedTensors,
  { momentum = 0.9, weightDecay = 1e-4, nesterov = false }: SgdOptions = {},
): Optimizer {
  const values = Object.values(parameters)
  const velocities = noGrad(() => values.map((value) => keep(value.detach().clone().fill_(0))))
  const names = Object.keys(parameters)
  return optimizer(
    values,
    { tensors: Object.fromEntries(names.map((name, i) => [name, velocities[i] as Tensor])) },
    (raw, rate) => {
      const gradients = weightDecay === 0 ? raw : foreach.add(raw, values, weightDecay)
      foreach.mul_(velocities, momentum)
      foreach.add_(velocities, gradients, 1)
      foreach.add_(values, nesterov ? foreach.add(gradients, velocities, momentum) : velocities, -rate)
    },
  )
}
