import { z } from 'zod'
import { UserError } from '../errors.ts'
import { batchNorm } from '../nn/batch-norm.ts'
import { type Classifier, classifierOf } from '../nn/classifier.ts'
import { conv } from '../nn/conv.ts'
import { linear } from '../nn/linear.ts'
import { meanOfPlaces } from '../nn/pool.ts'
import { preActivated, preActivationBlock } from '../nn/pre-activation.ts'
import { defineModel, type ModelContext } from './model.ts'

/**
 * Wide residual network WRN-d-k (Zagoruyko and Komodakis 2016): a 3×3 stem of 16, three groups of (d−4)/6 pre-activation
 * blocks, 16k, 32k and 64k wide with strides 1, 2, 2, then batch norm, ReLU, average pool, linear.
 */
export const wrn = defineModel({
  title: 'Wide residual network',
  paper: 'https://arxiv.org/abs/1605.07146',
  options: z.object({
    depth: z.int().min(10).max(100).default(16).describe('number of layers d, 4 more than a multiple of 6'),
    width: z.number().min(0.25).max(16).default(1).describe('widening factor k'),
  }),
  recognize(shapes) {
    const [, channels] = shapes.get('stem.weight') ?? []
    const [classes, last] = shapes.get('linear.weight') ?? []
    if (!channels || !classes || !last) return null
    let blocks = 0
    while (shapes.has(`groups.0.${blocks}.conv1.weight`)) blocks++
    return { options: { depth: 6 * blocks + 4, width: last / 64 }, classes, channels }
  },
  build({ depth, width }, context) {
    if ((depth - 4) % 6 !== 0)
      throw new UserError(
        'usage',
        `Cannot build WRN-${depth}: the depth must be 4 more than a multiple of 6 (10, 16, 22, 28, 40)`,
      )
    return build((depth - 4) / 6, width, context)
  },
})

function build(blocks: number, width: number, context: ModelContext): Classifier {
  const { random, classes, shape } = context
  const widths = [16, 32, 64].map((channels) => Math.round(channels * width))
  const last = widths[2] as number
  const stem = conv(random, { from: shape[0], to: 16, kernel: 3 })
  const groups = widths.map((to, g) =>
    Array.from({ length: blocks }, (_, b) =>
      preActivationBlock(random, {
        from: b > 0 ? to : (widths[g - 1] ?? 16),
        to,
        stride: b === 0 && g > 0 ? 2 : 1,
      }),
    ),
  )
  const bn = batchNorm(last)
  const head = linear(random, { from: last, to: classes })
  const named = groups.flatMap((group, g) => group.map((each, b) => [`groups.${g}.${b}`, each] as const))
  return classifierOf(
    {
      parts: { stem, ...Object.fromEntries(named), bn, linear: head },
      head,
      body(images, mode) {
        const { activated, maps } = preActivated(stem.forward(images), { groups, bn, mode })
        return { embedding: meanOfPlaces(activated), maps }
      },
    },
    context,
  )
}
