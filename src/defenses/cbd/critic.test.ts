import { describe, expect, it } from 'vitest'
import { compute, device } from '../../../test/device.ts'
import { Random } from '../../tensor/random.ts'
import { arena, scope } from '../../tensor/scope.ts'
import { gradients, parameter, type Tensor, tensor } from '../../tensor/tensor.ts'
import { dependence, makeCritic } from './critic.ts'

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
        const pairs = { z, r, others: r.indexSelect(0, order), mode: 'eval', random } as const
        const [gradient] = gradients(dependence(critic, pairs), [z]) as [Tensor]
        expect(gradient.shape).toEqual([8, 16])
        expect(gradient.numbers().some((value) => value !== 0)).toBe(true)
      })
    }))

  it('sees no dependence where every partner is one’s own', () =>
    arena(async () => {
      const { critic, z, r } = inputs()
      scope(() => expect(dependence(critic, { z, r, others: r, mode: 'eval', random }).item()).toBe(0))
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
