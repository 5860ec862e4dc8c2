import { z } from 'zod'
import { attention } from '../nn/attention.ts'
import { classifierOf } from '../nn/classifier.ts'
import { conv } from '../nn/conv.ts'
import { layerNorm } from '../nn/layer-norm.ts'
import { linear } from '../nn/linear.ts'
import { masksFrom } from '../nn/masks.ts'
import { join, type Module } from '../nn/module.ts'
import { maxPool } from '../nn/pool.ts'
import { tokensOf } from '../nn/tokens.ts'
import { type TransformerBlock, throughBlocks } from '../nn/transformer.ts'
import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { parameter, type Tensor } from '../tensor/tensor.ts'
import { defineModel, requireHeads } from './model.ts'

/** Of the linear layers' normal weights. */
const deviation = 0.02

/**
 * Compact convolutional transformer (Hassani et al. 2021), for small data sets; its defaults are CCT-7/3×1. Tokens come from
 * convolutions 3×3 with ReLU and a max pool of stride 2; 7 blocks of 4 heads on tokens of 256; the embedding is a mean of the
 * tokens by weights that a linear layer finds (sequence pooling). Names of weights, the order within a block and initialization
 * are those of the authors' code. Of the regularization there, dropout of attention is left out: a mask for each pair of tokens
 * would be drawn on the host.
 *
 * `maps` are the tokens after each third of the blocks.
 */
export const cct = defineModel({
  title: 'Compact convolutional transformer',
  paper: 'https://arxiv.org/abs/2104.05704',
  learning: { optimizer: 'adamw', rate: 0.005, weightDecay: 0.03 },
  options: z.object({
    depth: z.int().min(1).max(48).default(7).describe('number of blocks'),
    width: z.int().min(1).max(4096).default(256).describe('length of a token'),
    heads: z.int().min(1).max(64).default(4).describe('of self-attention; they share the width evenly'),
    expansion: z.number().min(0.25).max(8).default(2).describe('width of the hidden layer of a block, in widths'),
    kernel: z.literal([3, 5, 7]).default(3).describe('side of the convolutions that make tokens'),
    convolutions: z
      .int()
      .min(0)
      .max(6)
      .default(0)
      .describe('how many make tokens; 0: as many as it takes until there are at most 16 tokens a side'),
    stochasticDepth: z
      .number()
      .min(0)
      .max(0.9)
      .default(0.1)
      .describe('probability that the last block is left out in training, rising from 0'),
  }),
  recognize(shapes) {
    let convolutions = 0
    while (shapes.has(`tokenizer.conv_layers.${convolutions}.0.weight`)) convolutions++
    const [, channels] = shapes.get('tokenizer.conv_layers.0.0.weight') ?? []
    const [width, , kernel] = shapes.get(`tokenizer.conv_layers.${convolutions - 1}.0.weight`) ?? []
    const [classes] = shapes.get('classifier.fc.weight') ?? []
    const [hidden] = shapes.get('classifier.blocks.0.linear1.weight') ?? []
    const [, tokens] = shapes.get('classifier.positional_emb') ?? []
    if (!channels || !width || !classes || !hidden || !tokens) return null
    let depth = 0
    while (shapes.has(`classifier.blocks.${depth}.linear1.weight`)) depth++
    // Heads leave no trace in the shapes: of 64 channels each, as in all sizes of the paper.
    const heads = Math.max(1, Math.round(width / 64))
    const form = { depth, width, heads, expansion: hidden / width, convolutions, kernel: kernel as 3 | 5 | 7 }
    return { options: form, classes, channels, size: 2 ** convolutions * Math.round(Math.sqrt(tokens)) }
  },
  build({ depth, width, heads, expansion, kernel, convolutions, stochasticDepth }, context) {
    requireHeads({ width, heads })
    const { random, classes, shape } = context
    const [channels, height, wide] = shape
    const count = convolutions || Math.max(1, Math.ceil(Math.log2(Math.max(height, wide) / 16)))
    const halved = (side: number) => Math.ceil(side / 2 ** count)
    const grid = [halved(height), halved(wide)] as const
    const widths = [channels, ...Array<number>(count - 1).fill(64), width]
    const convs = widths
      .slice(1)
      .map((to, i) => conv(random, { from: widths[i] as number, to, kernel, initial: 'fan-in' }))
    const positions = parameter(random.normalTensor([1, grid[0] * grid[1], width], 0, 0.2))
    const blocks = Array.from({ length: depth }, () => block(random, { width, heads, hidden: width * expansion }))
    const norm = layerNorm(width)
    const pool = linear(random, { from: width, to: 1, deviation })
    const fc = linear(random, { from: width, to: classes, deviation })
    const masks = masksFrom(random.fork('masks'))
    const named = (prefix: string, each: readonly Module[]) =>
      Object.fromEntries(each.map((one, i) => [`${prefix}.${i}`, one]))
    return classifierOf(
      {
        parts: {
          ...Object.fromEntries(convs.map((each, i) => [`tokenizer.conv_layers.${i}.0`, each])),
          classifier: { parameters: { positional_emb: positions }, buffers: {} },
          'classifier.attention_pool': pool,
          ...named('classifier.blocks', blocks),
          'classifier.norm': norm,
          'classifier.fc': fc,
        },
        head: fc,
        drawing: masks,
        body(images, mode) {
          const pass = mode === 'train' && stochasticDepth > 0 ? masks.nextPass() : null
          const convolved = convs.reduce(
            (x: Tensor, each) => maxPool(each.forward(x).relu_(), { kernel: 3, stride: 2, padding: 1 }),
            images,
          )
          const x = tokensOf(convolved).to({ dtype: 'float32' }).add(positions)
          const { tokens, maps } = throughBlocks(x, { blocks, grid, stochasticDepth, pass })
          const normed = norm.forward(tokens)
          const shares = pool.forward(normed).to({ dtype: 'float32' }).softmax(1) // [batch, tokens, 1]
          return { embedding: normed.mul(shares).sum([1]), maps }
        },
      },
      context,
    )
  },
})

/** x ← norm(x + attention(norm(x))), then x ← x + mlp(x). */
function block(
  random: Random,
  { width, heads, hidden }: { width: number; heads: number; hidden: number },
): TransformerBlock {
  const pre_norm = layerNorm(width)
  const self_attn = attention(random, { width, heads, bias: false, deviation })
  const norm1 = layerNorm(width)
  const linear1 = linear(random, { from: width, to: Math.round(hidden), deviation })
  const linear2 = linear(random, { from: Math.round(hidden), to: width, deviation })
  return {
    ...join({ pre_norm, self_attn, linear1, norm1, linear2 }),
    forward: (x, thin) =>
      scope(() => {
        const attended = norm1.forward(x.add(thin(self_attn.forward(pre_norm.forward(x)))))
        return attended.add(thin(linear2.forward(linear1.forward(attended).gelu())))
      }),
  }
}
