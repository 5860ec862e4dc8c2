import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { scope } from '../tensor/scope.ts'
import { full, liveTensors } from '../tensor/tensor.ts'
import { makeSums } from './sums.ts'

const scalar = (value: number) => full([], value, { device })

describe('sums of what batches report', () => {
  it('give averages over images, of numbers and of tensors', () => {
    const sums = makeSums('a')
    scope(() => sums.add({ loss: scalar(1), share: 0.5 }, 3))
    scope(() => sums.add({ loss: scalar(5), share: 1 }, 1))
    expect(sums.averages()).toEqual({ loss: 2, share: 0.625 })
    sums.clear()
    scope(() => sums.add({ loss: scalar(7) }, 2))
    expect(sums.averages()).toEqual({ loss: 7 })
    sums.free()
  })

  it('go on exactly where they were saved', () => {
    const [straight, first] = [makeSums('a'), makeSums('a')]
    const values = [0.1, 1 / 3, Math.PI]
    for (const value of values) scope(() => straight.add({ loss: scalar(value), share: value }, 7))
    for (const value of values.slice(0, 2)) scope(() => first.add({ loss: scalar(value), share: value }, 7))
    const second = makeSums('a', JSON.parse(JSON.stringify(first.read())))
    scope(() => second.add({ loss: scalar(values[2] as number), share: values[2] as number }, 7))
    expect(second.averages()).toEqual(straight.averages())
    for (const sums of [straight, first, second]) sums.free()
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('say that training has diverged where one is %s', (value) => {
    const sums = makeSums('model')
    scope(() => sums.add({ loss: scalar(value) }, 2))
    scope(() => sums.add({ loss: scalar(1) }, 2)) // a later one does not hide it
    expect(() => sums.averages()).toThrow(`Training diverged: loss of 'model' is ${value}; try a lower learning rate`)
    sums.free()
  })

  it.each(['images', 'stage', 'trace', 'epoch', 'seconds'])(
    'take no number called %s, which is an epoch’s own',
    (name) => {
      const sums = makeSums('model')
      expect(() => sums.add({ loss: 1, [name]: 2 }, 3)).toThrow(`Cannot report '${name}' of 'model'`)
      expect(sums.read()).toEqual({})
    },
  )

  it('leave no tensors behind', () => {
    const before = liveTensors()
    const sums = makeSums('a', { loss: 3, images: 2 })
    scope(() => sums.add({ loss: scalar(1), share: 1 }, 3))
    sums.averages()
    sums.free()
    expect(liveTensors()).toBe(before)
  })
})
