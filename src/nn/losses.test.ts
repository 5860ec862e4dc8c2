import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { scope } from '../tensor/scope.ts'
import { gradients, type Tensor, tensor } from '../tensor/tensor.ts'
import {
  accuracy,
  crossEntropy,
  crossEntropyEach,
  generalizedCrossEntropyEach,
  negativeLearningEach,
} from './losses.ts'

const logitsOf = (rows: number[][]) => tensor(rows.flat(), [rows.length, rows[0]?.length ?? 0]).to({ device })
const labelsOf = (labels: number[]) => tensor(Int32Array.from(labels), [labels.length], 'int64').to({ device })

describe('cross entropy', () => {
  it('is the mean of what each sample has', () => {
    scope(() => {
      const [logits, labels] = [
        logitsOf([
          [1, 2, 3],
          [0, 0, 0],
          [5, -5, 0],
        ]),
        labelsOf([2, 0, 1]),
      ]
      const each = crossEntropyEach(logits, labels).numbers()
      expect(each[1]).toBeCloseTo(Math.log(3), 6)
      expect(crossEntropy(logits, labels).item()).toBeCloseTo(each.reduce((sum, value) => sum + value, 0) / 3, 6)
    })
  })

  it('is finite for huge logits', () => {
    scope(() => {
      const [right, wrong] = crossEntropyEach(
        logitsOf([
          [1e4, -1e4],
          [1e4, -1e4],
        ]),
        labelsOf([0, 1]),
      ).numbers()
      expect(right).toBeCloseTo(0)
      expect(wrong).toBe(2e4)
    })
  })

  it('refuses a label that is no class', () => {
    scope(() =>
      expect(() => crossEntropyEach(logitsOf([[1, 2]]), labelsOf([2]))).toThrow(/cross_entropy_loss.*Target 2/),
    )
  })
})

describe('generalized cross entropy', () => {
  it('lies between cross entropy (q → 0) and 1 − p (q = 1)', () => {
    scope(() => {
      const [logits, labels] = [
        logitsOf([
          [1, 2, 3],
          [4, 0, 0],
        ]),
        labelsOf([0, 0]),
      ]
      const p = crossEntropyEach(logits, labels).neg().exp().numbers()
      const nearlyEntropy = generalizedCrossEntropyEach(logits, labels, 1e-3).numbers()
      const linear = generalizedCrossEntropyEach(logits, labels, 1).numbers()
      p.forEach((share, i) => {
        expect(nearlyEntropy[i]).toBeCloseTo(-Math.log(share), 2)
        expect(linear[i]).toBeCloseTo(1 - share, 5)
      })
    })
  })

  it('has a finite value and gradient where the label has no probability at all', () => {
    scope(() => {
      const logits = logitsOf([[1e4, -1e4]]).requiresGrad_()
      const loss = generalizedCrossEntropyEach(logits, labelsOf([1])).sum()
      expect(loss.item()).toBeCloseTo(1 / 0.7, 5)
      expect((gradients(loss, [logits])[0] as Tensor).numbers().every(Number.isFinite)).toBe(true)
    })
  })
})

describe('negative learning', () => {
  it('is −log(1 − p), with a finite value and gradient where the label is certain', () => {
    scope(() => {
      const rows = [
        [1, 2, 3],
        [30, 0, 0],
        [1e4, -1e4, 0],
      ]
      const logits = logitsOf(rows).requiresGrad_()
      const losses = negativeLearningEach(logits, labelsOf([1, 0, 0]))
      const [some, much, all] = losses.numbers()
      expect(some).toBeCloseTo(-Math.log(1 - Math.exp(2) / (Math.exp(1) + Math.exp(2) + Math.exp(3))), 5)
      expect(much).toBeCloseTo(30 - Math.log(2), 4)
      expect(all).toBeLessThan(100)
      expect((gradients(losses.sum(), [logits])[0] as Tensor).numbers().every(Number.isFinite)).toBe(true)
    })
  })
})

it('accuracy is the share classified as labelled', () => {
  scope(() =>
    expect(
      accuracy(
        logitsOf([
          [1, 2],
          [3, 0],
          [0, 1],
          [2, 1],
        ]),
        labelsOf([1, 0, 0, 0]),
      ).item(),
    ).toBe(0.75),
  )
})
