import { z } from 'zod'
import { UserError } from '../errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { defineAttack } from './attack.ts'
import { splitBatch } from './split.ts'

/**
 * Two triggers at once: each poisoned image gets one of two attacks' triggers, half and half at random. At test time an
 * image is shown with one of them, the first where the sum of its bytes is even; each is measured by itself too. A
 * defense that has found one trigger has not found the other.
 */
export const twoTriggers = defineAttack({
  title: 'Two triggers at once',
  paper: 'https://arxiv.org/abs/1708.06733',
  labels: 'dirty',
  parts: { first: ['dirty'], second: ['dirty'] },
  options: z.object({
    first: z.string().default('badnets').describe('the first attack; its options are attack.first.…'),
    second: z.string().default('blend').describe('the second attack; its options are attack.second.…'),
  }),
  async craft({ first, second }, { random, train, label, part }) {
    const parts = [await part('first'), await part('second')] as const
    parts.forEach(({ cover }, k) => {
      const name = [first, second][k]
      if (cover)
        throw new UserError('usage', `Cannot use '${name}' as one of two triggers: it adds covers; choose another`)
    })
    const each = (k: number) => parts[k] as (typeof parts)[number]
    return {
      label,
      trigger: (images, labels) => {
        const bytes = images.bytes()
        const size = bytes.length / images.size(0)
        const parity = (i: number) => bytes.subarray(i * size, (i + 1) * size).reduce((sum, byte) => sum ^ byte, 0) & 1
        return splitBatch(images, parity, (k, some, at) => each(k).trigger(some, pick(labels, at)))
      },
      poison: (images: Tensor, indices: Int32Array) =>
        splitBatch(
          images,
          (i) => random.fork(`choice ${indices[i]}`).integer(2),
          (k, some, at) => {
            const own = pick(indices, at)
            const labels = own.map((i) => train.labels[i] as number)
            return each(k).poison?.(some, own) ?? each(k).trigger(some, labels)
          },
        ),
      single: { first: parts[0].trigger, second: parts[1].trigger },
    }
  },
})

const pick = (values: Int32Array, at: Int32Array) => at.map((i) => values[i] as number)
