import { describe, expect, it } from 'vitest'
import { compute, device } from '../../test/device.ts'
import { resolveConfig } from '../experiment/config.ts'
import { Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { gradients, parameter, type Tensor, tensor } from '../tensor/tensor.ts'
import { deconfoundingWeights, dependence, makeCritic } from './cbd.ts'

// The arithmetic of a step is compared with PyTorch's in test/golden/cbd.test.ts.

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

describe('a preset of CBD', () => {
  const options = (preset?: string) => resolveConfig({ defense: 'cbd', ...(preset && { preset }) }).options.defense

  it('`paper` is Eq. 8 as written, and the default', () => {
    expect(options()).toEqual(options('paper'))
    expect(options('paper')).toMatchObject({
      ...{
        confounderEpochs: 5,
        bottleneck: 1e-4,
        adversarial: 1,
        weights: 'as-is',
        critic: 'spectral',
        marginals: 'shuffle',
      },
      ...{ criticDecayEpochs: 0, normalized: true },
    })
  })

  it('`released` is what the authors published', () => {
    expect(options('released')).toEqual({
      ...{
        confounderEpochs: 5,
        bottleneck: 0,
        adversarial: 0.01,
        weights: 'mean-one',
        critic: 'dropout',
        marginals: 'shift',
      },
      ...{ criticRate: 0.2, criticDecayEpochs: 20, batch: 64, nesterov: true, cutout: 2, normalized: false },
    })
  })

  it('can be changed option by option', () => {
    const { options } = resolveConfig({
      defense: 'cbd',
      preset: 'released',
      'defense.adversarial': 0,
      'defense.batch': 32,
    })
    expect(options.defense).toMatchObject({ adversarial: 0, batch: 32, criticRate: 0.2 })
  })
})

describe.each(['spectral', 'dropout'] as const)('the critic with %s', (form) => {
  const random = new Random(1)
  const order = tensor(Int32Array.of(1, 2, 3, 4, 5, 6, 7, 0), [8], 'int64').to({ device })
  const inputs = () => ({
    critic: makeCritic(form, 32, { random, compute }),
    z: parameter(random.normalTensor([8, 16]).to({ device })),
    r: random.normalTensor([8, 16]).to({ device }),
  })

  it('sends the gradient of L_adv to the model', () =>
    arena(async () => {
      const { critic, z, r } = inputs()
      scope(() => {
        const [gradient] = gradients(dependence(critic, 'eval', z, r, order, random), [z]) as [Tensor]
        expect(gradient.shape).toEqual([8, 16])
        expect(gradient.numbers().some((value) => value !== 0)).toBe(true)
      })
    }))

  it('sees no dependence where every partner is one’s own', () =>
    arena(async () => {
      const { critic, z, r } = inputs()
      const own = tensor(
        Int32Array.from({ length: 8 }, (_, i) => i),
        [8],
        'int64',
      ).to({ device })
      scope(() => expect(dependence(critic, 'eval', z, r, own, random).item()).toBe(0))
    }))

  it('answers the same twice in evaluation', () =>
    arena(async () => {
      const { critic, z, r } = inputs()
      scope(() => {
        const answer = () => critic.forward(z, r, 'eval', random).numbers()
        expect(answer()).toEqual(answer())
      })
    }))
})

it('the critic draws dropout from the stream it is given, and only in training', () =>
  arena(async () => {
    const random = new Random(1)
    const critic = makeCritic('dropout', 32, { random, compute })
    const [z, r] = [random.normalTensor([8, 16]).to({ device }), random.normalTensor([8, 16]).to({ device })]
    scope(() => {
      const answer = (mode: 'train' | 'eval', seed: number) => critic.forward(z, r, mode, new Random(seed)).numbers()
      expect(answer('train', 1)).toEqual(answer('train', 1))
      expect(answer('train', 1)).not.toEqual(answer('train', 2))
      expect(answer('eval', 1)).toEqual(answer('eval', 2))
    })
  }))
