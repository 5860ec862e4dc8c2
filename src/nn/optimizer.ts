import { UserError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { clearGradients, gradientsOf, noGrad, type Tensor } from '../tensor/tensor.ts'
import type { Stateful } from './module.ts'

/** Changes parameters so that a loss falls. */
export interface Optimizer extends Stateful {
  /**
   * Clears the gradients, takes those of `loss`, updates with the learning `rate`; returns the loss. A loss that is not
   * finite stops the run before anything is changed.
   */
  step(loss: Tensor, rate: number): number
}

/** An optimizer from its update rule: (parameters and gradients of those that have one, learning rate). */
export function optimizer(
  parameters: readonly Tensor[],
  state: Stateful,
  update: (gradients: readonly Tensor[], rate: number) => void,
): Optimizer {
  return {
    ...state,
    step(loss, rate) {
      const value = loss.item()
      if (!Number.isFinite(value)) {
        throw new UserError(
          'diverged',
          `Training diverged: the loss is ${value} at a learning rate of ${rate}; try a lower one`,
        )
      }
      scope(() => {
        clearGradients(parameters)
        loss.backward()
        const gradients = gradientsOf(parameters)
        if (gradients.includes(null)) throw new Error('A parameter has no part in the loss')
        noGrad(() => update(gradients as Tensor[], rate))
        clearGradients(parameters)
      })
      return value
    },
  }
}
