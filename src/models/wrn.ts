import { z } from 'zod'
import { UserError } from '../errors.ts'
import { type BatchNorm, batchNorm } from '../nn/batch-norm.ts'
import { type Classifier, classifierOf } from '../nn/classifier.ts'
import { conv } from '../nn/conv.ts'
import { linear } from '../nn/linear.ts'
import { join, type Mode, type Module } from '../nn/module.ts'
import { meanOfPlaces } from '../nn/pool.ts'
import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import type { Tensor } from '../tensor/tensor.ts'
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
      block(random, { from: b > 0 ? to : (widths[g - 1] ?? 16), to, stride: b === 0 && g > 0 ? 2 : 1 }),
    ),
  )
  const bn = batchNorm(last)
  const head = linear(random, { from: last, to: classes })
  const parts = {
    stem,
    ...Object.fromEntries(groups.flatMap((group, g) => group.map((each, b) => [`groups.${g}.${b}`, each]))),
    bn,
    linear: head,
  }
  const body = (images: Tensor, mode: Mode) => {
    const maps: Tensor[] = []
    // A block adds its input to what it has computed where the next one normalizes: in one pass over memory.
    let x: Pending = { residual: stem.forward(images), input: null }
    for (const group of groups) {
      for (const each of group) {
        const { sum, pending } = each.forward(x, mode)
        if (x.input && group[0] === each) maps.push(sum) // the output of the group before
        x = pending
      }
    }
    const [sum, activated] = addRelu(bn, x, mode)
    return { embedding: meanOfPlaces(activated), maps: [...maps, sum] }
  }
  return classifierOf({ parts, head, body }, context)
}

/** A block's output that is yet to be added up; the stem's has nothing to be added to. */
interface Pending {
  readonly residual: Tensor
  readonly input: Tensor | null
}

interface Block extends Module {
  /** of a pending input: the input itself, added up, and the block's output */
  forward(x: Pending, mode: Mode): { sum: Tensor; pending: Pending }
}

/** [the sum, its normalization through ReLU] */
function addRelu(bn: BatchNorm, { residual, input }: Pending, mode: Mode): [Tensor, Tensor] {
  return input ? bn.addRelu(residual, input, mode) : [residual, bn.relu(residual, mode)]
}

/** BN–ReLU–conv twice, added to the input; where the width or the size changes, to a 1×1 convolution of the activated input. */
function block(random: Random, { from, to, stride }: { from: number; to: number; stride: number }): Block {
  const bn1 = batchNorm(from)
  const conv1 = conv(random, { from, to, kernel: 3, stride })
  const bn2 = batchNorm(to)
  const conv2 = conv(random, { from: to, to, kernel: 3 })
  const shortcut = from === to && stride === 1 ? null : conv(random, { from, to, kernel: 1, stride })
  return {
    ...join({ bn1, conv1, bn2, conv2, ...(shortcut ? { shortcut } : {}) }),
    // A scope of its own: what autograd does not need is free, and in the cache, for the next block.
    forward: (x, mode) =>
      scope(() => {
        const [sum, activated] = addRelu(bn1, x, mode)
        const residual = conv2.forward(bn2.relu(conv1.forward(activated), mode))
        return { sum, pending: { residual, input: shortcut ? shortcut.forward(activated) : sum } }
      }),
  }
}
