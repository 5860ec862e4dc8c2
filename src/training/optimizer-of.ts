import { adam } from '../nn/adam.ts'
import type { NamedTensors } from '../nn/module.ts'
import { type Optimizer, optimizer } from '../nn/optimizer.ts'
import { type SgdOptions, sgd } from '../nn/sgd.ts'
import type { Recipe } from './training-context.ts'

/** Where a method deviates from the run. */
export interface Deviation {
  /** its own settings of SGD, for models that are trained by SGD */
  readonly sgd?: SgdOptions
  /** its rates are its own too, stated as papers do, for SGD on a residual network; each model takes its share of them */
  readonly ownRates?: boolean
}

/** The optimizer of the run's model for these parameters, part of a network of that kind or all of it. */
export function optimizerOf(
  recipe: Pick<Recipe, 'optimizer' | 'rateShare' | 'momentum' | 'weightDecay' | 'nesterov'>,
  parameters: NamedTensors,
  { sgd: own, ownRates = false }: Deviation = {},
): Optimizer {
  // A method that does without weight decay, or decays by itself, does so with every optimizer.
  const weightDecay = own?.weightDecay === 0 ? 0 : recipe.weightDecay
  const made = recipe.optimizer === 'adamw' ? adam(parameters, { weightDecay }) : sgd(parameters, own ?? recipe)
  if (!ownRates || recipe.rateShare === 1) return made
  return optimizer(made.parameters, made, (gradients, rate) => made.update(gradients, rate * recipe.rateShare))
}
