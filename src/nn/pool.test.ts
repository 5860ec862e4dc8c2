import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { scope } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import { averagePoolTo, maxPool, meanOfPlaces } from './pool.ts'

const arange = (shape: readonly number[]) =>
  tensor(
    Float32Array.from({ length: shape.reduce((product, length) => product * length, 1) }, (_, i) => i),
    shape,
  ).to({ device })

describe('pools', () => {
  it('take the largest of windows, of which what does not fit is left out', () => {
    scope(() => expect(maxPool(arange([1, 1, 3, 5]), { kernel: 2 }).numbers()).toEqual([6, 8]))
  })

  it('take the mean over all places of each channel', () => {
    scope(() => expect(meanOfPlaces(arange([1, 2, 2, 2])).numbers()).toEqual([1.5, 5.5]))
  })

  it('take means over a grid, of which one place may fill several', () => {
    scope(() => {
      expect(averagePoolTo(arange([1, 1, 2, 4]), 2).numbers()).toEqual([0.5, 2.5, 4.5, 6.5])
      expect(averagePoolTo(arange([1, 1, 1, 1]), 2).numbers()).toEqual([0, 0, 0, 0])
    })
  })
})
