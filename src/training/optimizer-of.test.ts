import { expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import type { Optimizer } from '../nn/optimizer.ts'
import { arena, scope } from '../tensor/scope.ts'
import { parameter, type Tensor, tensor } from '../tensor/tensor.ts'
import { optimizerOf } from './optimizer-of.ts'

const recipe = { optimizer: 'sgd', rateShare: 0.1, momentum: 0, weightDecay: 0, nesterov: false } as const
const steep = { sgd: { momentum: 0, weightDecay: 0.5 } }

/** The weight 2 after one step at rate 1 on a loss of slope 1. */
function stepped(make: (parameters: { weight: Tensor }) => Optimizer): Promise<number> {
  return arena(async () => {
    const weight = parameter(tensor([2], [1, 1]).to({ device }))
    const optimizer = make({ weight })
    scope(() => void optimizer.step(weight.sum(), 1))
    return weight.item()
  })
}

it('trains by the run’s settings, at the rate that is asked for', async () => {
  expect(await stepped((p) => optimizerOf(recipe, p))).toBeCloseTo(1, 6)
})

it('trains by a method’s own settings, and by a model’s share of a method’s own rates', async () => {
  expect(await stepped((p) => optimizerOf(recipe, p, steep))).toBeCloseTo(0, 6) // 2 − (1 + 0.5·2)
  expect(await stepped((p) => optimizerOf(recipe, p, { ...steep, ownRates: true }))).toBeCloseTo(1.8, 6)
})

it('trains a model that says so by AdamW, whatever a method says of SGD, and without decay where a method has none', async () => {
  const adamw = { ...recipe, optimizer: 'adamw', weightDecay: 0.1 } as const
  expect(await stepped((p) => optimizerOf(adamw, p, steep))).toBeCloseTo(0.8, 6) // 2·(1 − 0.1) − 1
  expect(await stepped((p) => optimizerOf(adamw, p, { ...steep, ownRates: true }))).toBeCloseTo(1.88, 6)
  const own = { sgd: { weightDecay: 0 } }
  expect(await stepped((p) => optimizerOf(adamw, p, own))).toBeCloseTo(1, 6)
})
