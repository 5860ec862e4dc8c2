import { describe, expect, it } from 'vitest'
import { adam } from '../../src/nn/adam.ts'
import { linear } from '../../src/nn/linear.ts'
import { crossEntropy } from '../../src/nn/losses.ts'
import { join, type Module, moveTo } from '../../src/nn/module.ts'
import type { Optimizer } from '../../src/nn/optimizer.ts'
import { oneCycle } from '../../src/nn/schedule.ts'
import { sgd } from '../../src/nn/sgd.ts'
import { Random } from '../../src/tensor/random.ts'
import { arena, scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { device, tolerance } from '../device.ts'
import {
  type Checksum,
  expectNear,
  expectTensors,
  filledWrn,
  formula,
  integers,
  readGolden,
  runningStatistics,
  setWeights,
} from './golden.ts'

interface Steps {
  readonly options: {
    lr: number
    momentum: number
    weight_decay: number
    nesterov: boolean
    betas: [number, number]
    eps: number
  }
  readonly losses: readonly number[]
  readonly gaps: Readonly<Record<string, number>>
  readonly after: Readonly<Record<string, { parameters: Record<string, Checksum>; running?: Record<string, Checksum> }>>
}

const golden = readGolden<
  Record<'sgd' | 'nesterov' | 'adam' | 'adamw' | 'criticSgd' | 'criticNesterov', Steps> & {
    batches: { seeds: number[]; shape: number[]; scale: number; offset: number }
    oneCycle: { options: { max_lr: number; total_steps: number }; rates: number[] }
  }
>('steps.json')

/** Takes three steps and compares losses and weights; `tolerances` after one and after three. */
function expectSteps(
  { options, losses, after }: Steps,
  network: Module,
  optimizer: Optimizer,
  { lossAt, tolerances }: { lossAt: (step: number) => Tensor; tolerances: Readonly<Record<string, number>> },
): void {
  losses.forEach((expected, step) => {
    const t = tolerance(tolerances[step === 0 ? '1' : '3'] as number)
    const loss = scope(() => optimizer.step(lossAt(step), options.lr).item())
    expectNear([loss], [expected], t * expected, `loss ${step}`)
    const state = after[String(step + 1)]
    if (!state) return
    expectTensors(network.parameters, state.parameters, t)
    if (state.running) expectTensors(runningStatistics(network), state.running, t)
  })
}

const descent = ({ momentum, weight_decay, nesterov }: Steps['options']) => ({
  momentum,
  weightDecay: weight_decay,
  nesterov,
})

describe('three steps on WRN-16-1 give PyTorch’s weights with', () => {
  // Channels last, one ReLU in groups.1.1 switches in the first step already: gradients before it change by 0.4 percent.
  it.each(['sgd', 'nesterov'] as const)('%s', (name) =>
    arena(async () => {
      const model = filledWrn()
      const lossAt = (step: number) => {
        const { seeds, ...rest } = golden.batches
        const images = formula({ ...rest, seed: seeds[step] as number })
        return crossEntropy(model.forward(images, 'train').logits, integers(labelsAt(step)))
      }
      const optimizer = sgd(model.parameters, descent(golden[name].options))
      expectSteps(golden[name], model, optimizer, { lossAt, tolerances: { 1: 2e-3, 3: 0.1 } })
    }),
  )
})

const labelsAt = (step: number) => Array.from({ length: 8 }, (_, i) => (3 * i + step) % 10)

describe('three steps on two linear layers give PyTorch’s weights with', () => {
  it.each(['adam', 'adamw', 'criticSgd', 'criticNesterov'] as const)('%s', (name) =>
    arena(async () => {
      const random = new Random(0)
      const first = linear(random, { from: 128, to: 64 })
      const second = linear(random, { from: 64, to: 1 })
      const network = moveTo(join({ first, second }), device)
      const shapes = Object.entries(network.parameters).map(([key, { shape }], seed) => [
        key,
        { seed, shape, scale: 0.1, offset: 0 },
      ])
      setWeights(network.parameters, Object.fromEntries(shapes))
      const lossAt = (step: number) => {
        const output = second.forward(first.forward(formula({ seed: 200 + step, shape: [16, 128] })).leakyRelu(0.01))
        return output
          .sub(formula({ seed: 300 + step, shape: [16, 1] }))
          .square()
          .mean()
      }
      const { options } = golden[name]
      const optimizer =
        name === 'adam' || name === 'adamw'
          ? adam(network.parameters, {
              beta1: options.betas[0],
              beta2: options.betas[1],
              epsilon: options.eps,
              weightDecay: options.weight_decay,
            })
          : sgd(network.parameters, descent(options))
      expectSteps(golden[name], network, optimizer, { lossAt, tolerances: { 1: 1e-5, 3: 1e-5 } })
    }),
  )
})

it('one cycle gives PyTorch’s learning rates', () => {
  const { options, rates } = golden.oneCycle
  expect(rates.length).toBe(options.total_steps)
  const schedule = oneCycle(options.max_lr)
  for (const [step, rate] of rates.entries())
    expectNear([schedule(step, rates.length)], [rate], 1e-7 * rate, `rate ${step}`)
})
