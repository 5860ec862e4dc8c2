import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { linear } from './linear.ts'
import { join, type Module } from './module.ts'

export interface Attention extends Module {
  /** tokens [batch, tokens, width] to the same shape */
  forward(tokens: Tensor): Tensor
}

export interface AttentionForm {
  readonly width: number
  readonly heads: number
  /** whether queries, keys and values have a bias */
  readonly bias: boolean
  /** of the normal weights at first */
  readonly deviation: number
}

/**
 * Self-attention of several heads (Vaswani et al. 2017), softmax(q·kᵀ/√d)·v of each head with d = width / heads, then a linear
 * layer. One layer makes queries, keys and values, in this order. Composed of products and a softmax, since libtorch 1.13 has
 * no operator for all; the softmax is fp32.
 */
export function attention(random: Random, { width, heads, bias, deviation }: AttentionForm): Attention {
  const qkv = linear(random, { from: width, to: 3 * width, deviation, bias })
  const proj = linear(random, { from: width, to: width, deviation })
  const scale = 1 / Math.sqrt(width / heads)
  return {
    ...join({ qkv, proj }),
    forward: (tokens) =>
      scope(() => {
        const [batch, count] = tokens.shape as [number, number]
        const split = qkv
          .forward(tokens)
          .reshape(batch, count, 3, heads, width / heads)
          .permute(2, 0, 3, 1, 4)
        const [q, k, v] = [0, 1, 2].map((which) => split.select(0, which)) as [Tensor, Tensor, Tensor]
        const similar = q.mul(scale).matmul(k.transpose(-2, -1)).to({ dtype: 'float32' })
        const mixed = similar.softmax(-1).matmul(v) // [batch, heads, tokens, width / heads]
        return proj.forward(mixed.transpose(1, 2).reshape(batch, count, width))
      }),
  }
}
