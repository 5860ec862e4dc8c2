import { describe, expect, it } from 'vitest'
import { Random } from '../../tensor/random.ts'
import { knockoffThreshold } from './knockoffs.ts'

const between = (random: Random) => 2 * random.uniform() - 1

describe('the knockoff threshold', () => {
  it('is the smallest t with few enough false positives', () => {
    // from 3 on: (1 + 0) / 4; from 2 on: (1 + 1) / 4; from 1 on: (1 + 1) / 5
    const statistics = Float32Array.from([6, 5, 4, 3, -2, 1])
    expect(knockoffThreshold(statistics, { q: 0.25 })).toBe(3)
    expect(knockoffThreshold(statistics, { q: 0.4 })).toBe(1)
    expect(knockoffThreshold(statistics, { q: 0.2 })).toBe(Number.POSITIVE_INFINITY)
  })

  it('counts equal values together', () => {
    expect(knockoffThreshold(Float32Array.from([2, 2, 2, -2]), { q: 0.5 })).toBe(Number.POSITIVE_INFINITY)
    expect(knockoffThreshold(Float32Array.from([2, 2, 2, 2, -2]), { q: 0.5 })).toBe(2)
  })

  it('is infinite on noise, and without any image or any difference', () => {
    const random = new Random(1)
    const noise = Float32Array.from({ length: 5000 }, () => between(random))
    expect(knockoffThreshold(noise, { q: 0.05 })).toBe(Number.POSITIVE_INFINITY)
    expect(knockoffThreshold(new Float32Array(), { q: 0.05 })).toBe(Number.POSITIVE_INFINITY)
    expect(knockoffThreshold(new Float32Array(10), { q: 0.05 })).toBe(Number.POSITIVE_INFINITY)
  })

  it('keeps to the bound on false positives, and enlarges negative values by the asymmetry', () => {
    const statistics = Float32Array.from([6, 5, 4, 3, -2, 2.5, 1])
    expect(knockoffThreshold(statistics, { q: 0.4 })).toBe(1)
    expect(knockoffThreshold(statistics, { q: 0.4, maxFalse: 0 })).toBe(2.5)
    expect(knockoffThreshold(statistics, { q: 0.5, maxFalse: 0, asymmetry: 2 })).toBe(5)
  })

  it('keeps the share of false discoveries', () => {
    const random = new Random(2)
    const shares = Array.from({ length: 20 }, () => {
      const statistics = Float32Array.from({ length: 5000 }, (_, i) =>
        i < 500 ? 3 * random.uniform() : between(random),
      )
      const threshold = knockoffThreshold(statistics, { q: 0.1 })
      const flagged = Array.from(statistics.keys()).filter((i) => (statistics[i] as number) >= threshold)
      return flagged.filter((i) => i >= 500).length / flagged.length
    })
    expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeLessThan(0.11)
  })
})
