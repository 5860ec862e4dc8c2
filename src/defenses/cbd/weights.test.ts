import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import { tensor } from '../../tensor/tensor.ts'
import { deconfoundingWeights } from './weights.ts'

describe('the weights of Eq. 6', () => {
  const weigh = (confounded: number[], losses: number[]) =>
    scope(() =>
      deconfoundingWeights(tensor(confounded, [confounded.length]), tensor(losses, [losses.length])).numbers(),
    )

  it('are ℓ_B / (ℓ_B + ℓ_C)', () => {
    const weights = weigh([1, 3, 0, 2, 0.1], [1, 1, 2, 0, 1e-3])
    const expected = [0.5, 0.75, 0, 1, 0.1 / 0.101]
    for (const [i, weight] of expected.entries()) expect(weights[i]).toBeCloseTo(weight, 6)
  })

  it('are defined at zeros, infinities and what is not a number', () => {
    const odd = [0, -0, 1, Number.POSITIVE_INFINITY, Number.NaN, Number.NEGATIVE_INFINITY, 1e-45, 3.4e38, -1]
    for (const confounded of odd) {
      for (const loss of odd) {
        const [weight] = weigh([confounded], [loss]) as [number]
        expect(weight >= 0 && weight <= 1, `${confounded}, ${loss}: ${weight}`).toBe(true)
      }
    }
    expect(weigh([0], [0])).toEqual([0.5])
    expect(weigh([Number.POSITIVE_INFINITY], [Number.POSITIVE_INFINITY])).toEqual([0.5])
  })

  it('lie in [0, 1] for a million pairs of any floats', () => {
    const random = new Random(1)
    const count = 1_000_000
    const anything = () => {
      // Any bit pattern is a float: every exponent, infinities and NaNs included; and zeros.
      const bits = Uint32Array.from({ length: count }, () => (random.integer(16) === 0 ? 0 : random.bits()))
      return tensor(new Float32Array(bits.buffer), [count])
    }
    scope(() => {
      const weights = deconfoundingWeights(anything().to({ device }), anything().to({ device })).data() as Float32Array
      expect(weights.every((weight) => weight >= 0 && weight <= 1)).toBe(true)
    })
  })
})
