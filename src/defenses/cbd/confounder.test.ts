import { describe, expect, it } from 'vitest'
import { lowestThird } from './confounder.ts'

describe('what several looks say of an image', () => {
  const losses = (...seen: number[][]) => lowestThird(seen.map((each) => Float32Array.from(each)))

  it('is the geometric mean of the lowest third', () => {
    const [one, two] = losses([4, 9], [1, 9], [2, 1], [8, 4], [8, 9])
    expect(one).toBeCloseTo(Math.sqrt(1 * 2), 6)
    expect(two).toBeCloseTo(Math.sqrt(1 * 4), 6)
  })

  it('is the loss itself at a single look', () => {
    expect(losses([0.5, 2])).toEqual(Float32Array.of(0.5, 2))
  })

  it('takes a loss of 0', () => {
    expect(losses([0], [1], [1])[0]).toBeCloseTo(1e-6, 9)
  })
})
