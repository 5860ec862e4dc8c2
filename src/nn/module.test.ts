import { describe, expect, it } from 'vitest'
import { compute, device } from '../../test/device.ts'
import { wrn } from '../models/wrn.ts'
import { Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { liveTensors, noGrad, zeros } from '../tensor/tensor.ts'
import { dropout } from './dropout.ts'
import { linear } from './linear.ts'
import { copyWeights, dispose, join, moveTo, parameterCount, stateOf } from './module.ts'

const read = (module: Parameters<typeof stateOf>[0]) =>
  Object.values(stateOf(module).tensors).map((tensor) => tensor.numbers())
const layer = (seed: number) => linear(new Random(seed), { from: 3, to: 2 })
const model = (seed: number) => {
  const context = { random: new Random(seed), compute, classes: 3, shape: [3, 8, 8] as const, normalization: null }
  return wrn.build({ depth: 10, width: 0.5 }, context)
}

describe('a module', () => {
  it('has its parts’ weights under their names', () =>
    arena(async () => {
      const { parameters, buffers } = join({ first: layer(1), second: join({ inner: layer(2) }) })
      expect(Object.keys(parameters)).toEqual([
        'first.weight',
        'first.bias',
        'second.inner.weight',
        'second.inner.bias',
      ])
      expect(buffers).toEqual({})
      expect(parameterCount({ parameters, buffers })).toBe(16)
    }))

  it('is initialized alike from the same seed, within PyTorch’s bounds', () =>
    arena(async () => {
      expect(read(layer(1))).toEqual(read(layer(1)))
      expect(read(layer(1))).not.toEqual(read(layer(2)))
      const wide = linear(new Random(1), { from: 100, to: 100 })
      const values = read(wide).flat()
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(Math.fround(0.1))
      expect(Math.max(...values)).toBeGreaterThan(0.099)
    }))

  it('can take over another’s weights, and then answers as it does', () =>
    arena(async () => {
      const [from, into] = [moveTo(model(1), device), moveTo(model(2), device)]
      copyWeights(from, into)
      expect(read(into)).toEqual(read(from))
      scope(() => {
        const images = new Random(3).uniformTensor([2, 3, 8, 8]).to({ device })
        const answer = (of: typeof from) => noGrad(() => of.forward(images, 'eval').logits.numbers())
        expect(answer(into)).toEqual(answer(from))
        noGrad(() => from.parameters['stem.weight']?.mul_(2))
        expect(answer(into)).not.toEqual(answer(from))
      })
    }))

  it('stays the same tensors when it moves', () =>
    arena(async () => {
      const before = layer(1)
      const values = read(before)
      const weight = before.parameters.weight
      const moved = moveTo(before, device)
      expect(moved.parameters.weight).toBe(weight)
      expect([weight?.device, weight?.requiresGrad]).toEqual([device, true])
      expect(read(moved)).toEqual(values)
    }))

  it('can be disposed of', () => {
    const before = liveTensors()
    dispose(scope(() => model(1)))
    expect(liveTensors()).toBe(before)
  })

  it('uses and moves batch statistics in training only', () =>
    arena(async () => {
      const network = moveTo(model(1), device)
      const statistics = () => Object.values(network.buffers).map((tensor) => tensor.numbers())
      scope(() => {
        const images = new Random(3).uniformTensor([4, 3, 8, 8]).to({ device })
        const before = statistics()
        network.forward(images, 'eval')
        expect(statistics()).toEqual(before)
        network.forward(images, 'train')
        expect(statistics()).not.toEqual(before)
      })
    }))
})

describe('dropout', () => {
  it('drops about its share, scales up the rest, and draws from the stream it is given', () => {
    scope(() => {
      const ones = zeros([100, 100], { device }).add(1)
      const drop = (seed: number) => dropout(ones, 0.2, new Random(seed)).numbers()
      expect(drop(1)).toEqual(drop(1))
      expect(drop(1)).not.toEqual(drop(2))
      expect(new Set(drop(1))).toEqual(new Set([0, 1.25]))
      expect(drop(1).filter((value) => value === 0).length / 10_000).toBeCloseTo(0.2, 1)
    })
  })

  it('of nothing is the input itself', () => {
    scope(() => {
      const input = zeros([2])
      expect(dropout(input, 0, new Random(1))).toBe(input)
    })
  })
})
