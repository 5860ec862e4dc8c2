import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type BatchNorm, batchNorm } from './batch-norm.ts'
import { conv } from './conv.ts'
import { join, type Mode, type Module } from './module.ts'

// Residual networks in the form of He et al. 2016b: each convolution comes after batch norm and ReLU, and what is added up is
// never activated. So a block adds its input to what it has computed where the next one normalizes: in one pass over memory.

/** A block's output that is yet to be added up; a stem's has nothing to be added to. */
export interface Pending {
  readonly residual: Tensor
  readonly input: Tensor | null
}

export interface PreActivationBlock extends Module {
  /** of a pending input: the input itself, added up, and the block's output */
  forward(x: Pending, mode: Mode): { sum: Tensor; pending: Pending }
}

/** BN–ReLU–conv 3×3 twice, added to the input; where the width or the size changes, to a 1×1 convolution of the activated input. */
export function preActivationBlock(
  random: Random,
  { from, to, stride }: { from: number; to: number; stride: number },
): PreActivationBlock {
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

/** Groups of blocks, then a last batch norm and ReLU: its output, and what each group returns. */
export function preActivated(
  stemmed: Tensor,
  { groups, bn, mode }: { groups: readonly (readonly PreActivationBlock[])[]; bn: BatchNorm; mode: Mode },
): { activated: Tensor; maps: Tensor[] } {
  const maps: Tensor[] = []
  let x: Pending = { residual: stemmed, input: null }
  for (const group of groups) {
    for (const each of group) {
      const { sum, pending } = each.forward(x, mode)
      if (x.input && group[0] === each) maps.push(sum) // the output of the group before
      x = pending
    }
  }
  const [sum, activated] = addRelu(bn, x, mode)
  return { activated, maps: [...maps, sum] }
}

/** [the sum, its normalization through ReLU] */
function addRelu(bn: BatchNorm, { residual, input }: Pending, mode: Mode): [Tensor, Tensor] {
  return input ? bn.addRelu(residual, input, mode) : [residual, bn.relu(residual, mode)]
}
