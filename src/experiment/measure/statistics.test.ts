import { describe, expect, it } from 'vitest'
import { Random } from '../../tensor/random.ts'
import { auroc, mean, median } from './statistics.ts'

describe('auroc', () => {
  it('is the share of pairs in which the positive scores higher, ties counting half', () => {
    const random = new Random(1)
    for (let round = 0; round < 100; round++) {
      const count = 2 + random.integer(40)
      const scores = Float32Array.from({ length: count }, () => random.integer(round % 2 ? 5 : 1000) / 7)
      const positive = Array.from(scores, (_, i) => i < 1 || random.uniform() < 0.4)
      positive[1] = false
      const counted = Array.from(scores, (_, i) => i < 2 || random.uniform() < 0.8)
      const pairs = Array.from(scores.keys()).flatMap((p) => Array.from(scores.keys(), (n) => [p, n] as const))
      const valid = pairs.filter(([p, n]) => counted[p] && counted[n] && positive[p] && !positive[n])
      const won = valid.reduce(
        (sum, [p, n]) => sum + (Math.sign((scores[p] as number) - (scores[n] as number)) + 1) / 2,
        0,
      )
      const area = auroc(
        scores,
        (i) => positive[i] as boolean,
        (i) => counted[i] as boolean,
      )
      expect(area).toBeCloseTo(won / valid.length, 12)
    }
  })

  it('is 1, 0 and a half where it should be', () => {
    const scores = Float32Array.of(1, 2, 3, 4)
    expect(auroc(scores, (i) => i >= 2)).toBe(1)
    expect(auroc(scores, (i) => i < 2)).toBe(0)
    expect(auroc(new Float32Array(4), (i) => i < 2)).toBe(0.5)
    expect(auroc(Float32Array.of(Number.NEGATIVE_INFINITY, 0, Number.POSITIVE_INFINITY), (i) => i === 2)).toBe(1)
  })

  it('is nothing where a score that counts is no number', () => {
    const scores = Float32Array.of(1, Number.NaN, 2)
    for (const positive of [0, 1, 2]) expect(auroc(scores, (i) => i === positive)).toBeNull()
    const others = (i: number) => i !== 1
    expect(auroc(scores, (i) => i === 2, others)).toBe(1)
    expect(auroc(scores, (i) => i === 0, others)).toBe(0)
  })

  it('is nothing where one side is empty', () => {
    expect(auroc(Float32Array.of(1, 2), () => true)).toBeNull()
    expect(auroc(Float32Array.of(1, 2), () => false)).toBeNull()
    expect(auroc(new Float32Array(0), () => true)).toBeNull()
  })
})

it('the median is the middle, or the mean of the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([10, 1, 2, 9])).toBe(5.5)
  expect(median([])).toBeNull()
})

it('the mean is the sum over the count', () => {
  expect(mean([1, 2, 6])).toBe(3)
  expect(mean([])).toBeNull()
})
