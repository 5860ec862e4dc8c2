import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { arena, scope } from '../tensor/scope.ts'
import { gradientsOf, liveTensors, noGrad, parameter, type Tensor, tensor } from '../tensor/tensor.ts'
import { adam } from './adam.ts'
import type { NamedTensors } from './module.ts'
import type { Optimizer } from './optimizer.ts'
import { sgd } from './sgd.ts'

// The updates themselves are compared with PyTorch's in test/golden/steps.test.ts.

const kinds: [string, (parameters: NamedTensors) => Optimizer][] = [
  ['sgd', (parameters) => sgd(parameters)],
  ['adam', (parameters) => adam(parameters)],
]

describe.each(kinds)('%s', (_, make) => {
  const network = () => ({
    a: parameter(tensor([1, -2, 3], [3]).to({ device })),
    b: parameter(tensor([0.5], [1]).to({ device })),
  })
  const lossOf = ({ a, b }: ReturnType<typeof network>) => a.mul(b).sub(1).square().sum()
  const read = (tensors: NamedTensors) => Object.values(tensors).map((each) => each.numbers())

  it('lets the loss fall, and returns what it was before', () =>
    arena(async () => {
      const weights = network()
      const optimizer = make(weights)
      const losses = Array.from({ length: 200 }, () => scope(() => optimizer.step(lossOf(weights), 0.01).item()))
      expect(losses[0]).toBeCloseTo(4.5, 6)
      expect(losses.at(-1)).toBeLessThan(2)
    }))

  it('leaves no tensors and no gradients behind', () =>
    arena(async () => {
      const weights = network()
      const optimizer = make(weights)
      const before = liveTensors()
      for (let i = 0; i < 5; i++) scope(() => void optimizer.step(lossOf(weights), 0.01))
      expect(liveTensors()).toBe(before)
      expect(gradientsOf(Object.values(weights))).toEqual([null, null])
    }))

  it('goes on exactly where its state was saved', () =>
    arena(async () => {
      const [weights, copy] = [network(), network()]
      const [optimizer, other] = [make(weights), make(copy)]
      const train = (of: typeof weights, by: Optimizer) => {
        for (let i = 0; i < 3; i++) scope(() => void by.step(lossOf(of), 0.01))
      }
      train(weights, optimizer)
      const restore = (into: NamedTensors, saved: NamedTensors) => {
        for (const [name, target] of Object.entries(into)) noGrad(() => target.copy_(saved[name] as Tensor))
      }
      restore(copy, weights)
      restore(other.tensors, optimizer.tensors)
      other.restore?.(JSON.parse(JSON.stringify(optimizer.plain?.() ?? null)))
      train(weights, optimizer)
      train(copy, other)
      expect(read(copy)).toEqual(read(weights))
    }))

  it('notices a parameter that has no part in the loss', () =>
    arena(async () => {
      const weights = network()
      const optimizer = make(weights)
      expect(() => scope(() => void optimizer.step(weights.a.sum(), 0.01))).toThrow(
        'A parameter has no part in the loss',
      )
    }))
})
