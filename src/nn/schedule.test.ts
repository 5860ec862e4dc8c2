import { describe, expect, it } from 'vitest'
import { oneCycle, schedules, steps } from './schedule.ts'

// Compared with PyTorch's over 100 steps in test/golden/steps.test.ts.

describe('one cycle', () => {
  it.each([1, 2, 3, 10, 1000])('goes up to the rate and down again in %s steps', (total) => {
    const rates = Array.from({ length: total }, (_, step) => oneCycle(0.1)(step, total))
    expect(rates.every((rate) => rate > 0 && rate <= 0.1 + 1e-12)).toBe(true)
    const peak = rates.indexOf(Math.max(...rates))
    for (let i = 1; i < total; i++) {
      if (i <= peak) expect(rates[i]).toBeGreaterThan(rates[i - 1] as number)
      else expect(rates[i]).toBeLessThan(rates[i - 1] as number)
    }
    if (total >= 10) expect([rates[0], rates.at(-1)]).toEqual([expect.closeTo(0.004, 6), expect.closeTo(4e-7, 9)])
  })
})

describe('steps', () => {
  it('falls to a tenth at 20 and 70 percent', () => {
    const rates = Array.from({ length: 10 }, (_, step) => steps(0.1)(step, 10))
    const expected = [0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001]
    for (const [i, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[i] as number, 12)
  })
})

it('each schedule is finite at any length', () => {
  for (const make of Object.values(schedules)) {
    for (const total of [1, 2, 4])
      expect(Array.from({ length: total }, (_, i) => make(0.1)(i, total)).every(Number.isFinite)).toBe(true)
  }
})
