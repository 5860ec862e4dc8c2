import { afterAll, describe, expect, it } from 'vitest'
import { wrn } from '../../src/models/wrn.ts'
import type { Output } from '../../src/nn/classifier.ts'
import { crossEntropy } from '../../src/nn/losses.ts'
import { dispose, parameterCount } from '../../src/nn/module.ts'
import { Random } from '../../src/tensor/random.ts'
import { arena, scope } from '../../src/tensor/scope.ts'
import { clearGradients, noGrad, type Tensor } from '../../src/tensor/tensor.ts'
import { compute, tolerance } from '../device.ts'
import {
  type Checksum,
  expectNear,
  expectTensor,
  expectTensors,
  type Formula,
  filledWrn,
  formula,
  integers,
  type Recorded,
  readGolden,
  runningStatistics,
} from './golden.ts'

interface Outputs {
  readonly logits: Recorded
  readonly embedding: Recorded
  readonly maps: readonly Recorded[]
}

const golden = readGolden<{
  counts: Record<string, Record<string, number>>
  input: Formula
  labels: number[]
  training: Outputs & { loss: number }
  gradients: Record<string, Checksum>
  running: Record<string, Checksum>
  eval: Outputs
}>('wrn.json')

/**
 * make.py's `gaps` are for NCHW. Channels last, where libtorch's batch norm rounds more coarsely, PyTorch's own maps lie
 * 3e-5 and its gradients 2e-5 away from float64.
 */
const t = tolerance(1e-4)

function expectOutput(actual: Output, expected: Outputs): void {
  expectTensor(actual.logits, expected.logits, t, 'logits')
  expectTensor(actual.embedding, expected.embedding, t, 'embedding')
  expect(actual.maps.length).toBe(expected.maps.length)
  for (const [i, map] of actual.maps.entries()) expectTensor(map, expected.maps[i] as Recorded, t, `map ${i}`)
}

describe('WRN-16-1 gives PyTorch’s', () => {
  const model = filledWrn()
  afterAll(() => dispose(model))

  it('outputs, loss, gradients and running statistics in training', () => {
    scope(() => {
      const output = model.forward(formula(golden.input), 'train')
      expectOutput(output, golden.training)
      const loss = crossEntropy(output.logits, integers(golden.labels))
      expectNear([loss.item()], [golden.training.loss], tolerance(1e-5), 'loss')
      loss.backward()
      const gradients = Object.entries(model.parameters).map(([name, each]) => [name, each.grad as Tensor])
      // One ReLU in groups.0.1 whose input is almost 0 switches, as in PyTorch's own channels-last run: 0.3 percent before it.
      expectTensors(Object.fromEntries(gradients), golden.gradients, tolerance(0.01))
      expectTensor(model.parameters['linear.weight']?.grad as Tensor, golden.gradients['linear.weight'] as Checksum, t)
      clearGradients(Object.values(model.parameters))
      expectTensors(runningStatistics(model), golden.running, t)
    })
  })

  it('outputs in evaluation, with the statistics of one training pass', () => {
    scope(() => noGrad(() => expectOutput(model.forward(formula(golden.input), 'eval'), golden.eval)))
    scope(() => expectTensors(runningStatistics(model), golden.running, t))
  })
})

describe('a WRN has as many parameters as PyTorch’s', () => {
  const counts = Object.entries(golden.counts).flatMap(([name, byClasses]) =>
    Object.entries(byClasses).map(([classes, count]) => ({ name, classes: Number(classes), count })),
  )
  it.each(counts)('$name with $classes classes: $count', ({ name, classes, count }) =>
    arena(async () => {
      const [depth, width] = name.split('-').slice(1).map(Number) as [number, number]
      const context = { random: new Random(0), compute, classes, shape: [3, 32, 32] as const, normalization: null }
      expect(parameterCount(wrn.build({ depth, width }, context))).toBe(count)
    }),
  )
})
