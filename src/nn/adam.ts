import { keep } from '../tensor/scope.ts'
import { noGrad, type Tensor } from '../tensor/tensor.ts'
import type { NamedTensors } from './module.ts'
import { type Optimizer, optimizer } from './optimizer.ts'

export interface AdamOptions {
  readonly beta1?: number
  readonly beta2?: number
  readonly epsilon?: number
  readonly weightDecay?: number
}

/**
 * Adam (Kingma and Ba 2015), bias-corrected; with a weight decay wd AdamW (Loshchilov and Hutter 2019), p ← (1 − rate·wd)·p
 * before each update, of weights alone: a tensor of one dimension (a bias, a norm's factor) does not decay.
 */
export function adam(
  parameters: NamedTensors,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 }: AdamOptions = {},
): Optimizer {
  const values = Object.values(parameters)
  const blank = () => noGrad(() => values.map((value) => keep(value.detach().clone().fill_(0))))
  const first = blank()
  const second = blank()
  const tensors = Object.fromEntries(
    Object.keys(parameters).flatMap((name, i) => [
      [`${name}.first`, first[i] as Tensor],
      [`${name}.second`, second[i] as Tensor],
    ]),
  )
  const decays = values.map(({ shape }) => weightDecay > 0 && shape.length > 1)
  let steps = 0
  const state = {
    tensors,
    plain: () => steps,
    restore: (plain: unknown) => {
      steps = plain as number
    },
  }
  return optimizer(values, state, (gradients, rate) => {
    steps++
    const correction = Math.sqrt(1 - beta2 ** steps)
    gradients.forEach((gradient, i) => {
      const [value, m, v] = [values[i] as Tensor, first[i] as Tensor, second[i] as Tensor]
      if (decays[i]) value.mul_(1 - rate * weightDecay)
      m.mul_(beta1).add_(gradient, 1 - beta1)
      v.mul_(beta2).add_(gradient.square(), 1 - beta2)
      value.add_(m.div(v.sqrt().div(correction).add(epsilon)), -rate / (1 - beta1 ** steps))
    })
  })
}
