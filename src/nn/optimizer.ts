import { scope } from '../tensor/scope.ts'
import { clearGradients, gradientsOf, noGrad, type Tensor } from '../tensor/tensor.ts'
import type { Stateful } from './module.ts'

/** Changes parameters so that a loss falls. */
export interface Optimizer extends Stateful {
  /**
   * Clears the gradients, takes those of `loss`, updates with the learning `rate`; returns the loss, detached. Nothing is
   * waited for: whether the loss is finite shows where it is reported.
   */
  step(loss: Tensor, rate: number): Tensor
  /** what it changes, and how: (gradients, learning rate); for `stepTogether` */
  readonly parameters: readonly Tensor[]
  update(gradients: readonly Tensor[], rate: number): void
}

/** An optimizer from its update rule. */
export function optimizer(
  parameters: readonly Tensor[],
  state: Stateful,
  update: (gradients: readonly Tensor[], rate: number) => void,
): Optimizer {
  const self: Optimizer = { ...state, parameters, update, step: (loss, rate) => stepTogether(loss, [[self, rate]]) }
  return self
}

/** One step of several optimizers on one loss, each with its own rate: networks that are trained jointly. */
export function stepTogether(loss: Tensor, parts: readonly (readonly [Optimizer, number])[]): Tensor {
  scope(() => {
    for (const [{ parameters }] of parts) clearGradients(parameters)
    loss.backward()
    for (const [{ parameters, update }, rate] of parts) {
      const gradients = gradientsOf(parameters)
      if (gradients.includes(null)) throw new Error('A parameter has no part in the loss')
      noGrad(() => update(gradients as Tensor[], rate))
      clearGradients(parameters)
    }
  })
  return loss.detach()
}
