import { describe, expect, it } from 'vitest'
import { Random } from '../tensor/random.ts'
import { otsuThreshold } from './otsu.ts'

/** The threshold among 255 bin borders with the largest variance between the groups, by trying each. */
function bruteForce(values: readonly number[]): number {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const bin = (value: number) => Math.min(255, Math.floor(((value - low) / (high - low)) * 256))
  let best = { border: 0, between: -1 }
  for (let border = 1; border < 256; border++) {
    const below = values.filter((value) => bin(value) < border).map(bin)
    const above = values.filter((value) => bin(value) >= border).map(bin)
    if (below.length === 0 || above.length === 0) continue
    const mean = (group: number[]) => group.reduce((sum, value) => sum + value, 0) / group.length
    const between = below.length * above.length * (mean(below) - mean(above)) ** 2
    if (between > best.between * (1 + 1e-12)) best = { border, between }
  }
  return low + (best.border * (high - low)) / 256
}

describe('Otsu’s threshold', () => {
  it('is the one with the largest variance between the groups', () => {
    const random = new Random(1)
    for (let round = 0; round < 20; round++) {
      const values = Float32Array.from({ length: 200 }, () => random.normal() * 3 + (random.uniform() < 0.2 ? 10 : 0))
      expect(otsuThreshold(values)).toBeCloseTo(bruteForce([...values]), 10)
    }
  })

  it('parts two groups, however uneven', () => {
    const random = new Random(2)
    const values = Float32Array.from({ length: 5000 }, (_, i) => random.normal() + (i < 50 ? 100 : 0))
    const threshold = otsuThreshold(values)
    expect(values.filter((value) => value > threshold).length).toBe(50)
  })

  it('names nobody where all values are the same', () => {
    const threshold = otsuThreshold(Float32Array.of(2, 2, 2))
    expect([2, 2, 2].filter((value) => value > threshold)).toEqual([])
  })

  it('names nobody where there is nobody, or what is not a number', () => {
    const nobody = (values: number[]) =>
      values.filter((value) => value > otsuThreshold(Float32Array.from(values))).length
    expect(nobody([])).toBe(0)
    expect(nobody([Number.NaN, 1])).toBe(0)
  })
})
