import { z } from 'zod'
import { UserError } from '../errors.ts'
import { attention } from '../nn/attention.ts'
import { classifierOf } from '../nn/classifier.ts'
import { conv } from '../nn/conv.ts'
import { layerNorm } from '../nn/layer-norm.ts'
import { linear } from '../nn/linear.ts'
import { masksFrom } from '../nn/masks.ts'
import { join, type Module } from '../nn/module.ts'
import { tokensOf } from '../nn/tokens.ts'
import { type TransformerBlock, throughBlocks } from '../nn/transformer.ts'
import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { cat, operator, parameter } from '../tensor/tensor.ts'
import { defineModel, requireHeads } from './model.ts'

const pad = operator('constant_pad_nd')

/** Of normal weights, as timm has it. */
const deviation = 0.02
const epsilon = 1e-6

/**
 * Vision transformer (Dosovitskiy et al. 2020) in its size ViT-Tiny (Touvron et al. 2020): patches as tokens, a class token,
 * 12 pre-norm blocks of self-attention and a hidden layer of four times the width with GELU, layer norm; the embedding is the
 * class token's. Names of weights, initialization and results are timm's.
 *
 * Images whose sides are no multiple of the patch are filled up with the mean color, right and below. `maps` are the patches' tokens
 * after each third of the blocks.
 */
export const vit = defineModel({
  title: 'Vision transformer',
  paper: 'https://arxiv.org/abs/2010.11929',
  learning: { optimizer: 'adamw', rate: 0.005, weightDecay: 0.05 },
  options: z.object({
    patch: z
      .int()
      .min(0)
      .max(64)
      .default(0)
      .describe('side of a patch in pixels; 0: the first of 4, 8, 16, 32 that makes at most 16 patches a side'),
    depth: z.int().min(1).max(48).default(12).describe('number of blocks'),
    width: z.int().min(1).max(4096).default(192).describe('length of a token'),
    heads: z.int().min(1).max(64).default(3).describe('of self-attention; they share the width evenly'),
    stochasticDepth: z
      .number()
      .min(0)
      .max(0.9)
      .default(0.1)
      .describe('probability that the last block is left out in training, rising from 0'),
  }),
  recognize(shapes) {
    const [width, channels, patch] = shapes.get('patch_embed.proj.weight') ?? []
    const [classes] = shapes.get('head.weight') ?? []
    const [, tokens] = shapes.get('pos_embed') ?? []
    if (!width || !channels || !patch || !classes || !tokens) return null
    let depth = 0
    while (shapes.has(`blocks.${depth}.norm1.weight`)) depth++
    // Heads leave no trace in the shapes: of 64 channels each, as in all sizes of the paper.
    const heads = Math.max(1, Math.round(width / 64))
    return {
      options: { patch, depth, width, heads },
      classes,
      channels,
      size: patch * Math.round(Math.sqrt(tokens - 1)),
    }
  },
  build({ patch: asked, depth, width, heads, stochasticDepth }, context) {
    requireHeads({ width, heads })
    const { random, classes, shape } = context
    const [channels, height, wide] = shape
    const patch = asked || patchFor(Math.max(height, wide))
    const grid = [Math.ceil(height / patch), Math.ceil(wide / patch)] as const
    if (grid[0] * grid[1] > mostTokens)
      throw new UserError(
        'usage',
        `Cannot build a vision transformer of ${grid[0]}×${grid[1]} patches: ${mostTokens} are the most; give a larger --model.patch`,
      )
    const proj = conv(random, {
      from: channels,
      to: width,
      kernel: patch,
      stride: patch,
      padding: 0,
      bias: true,
      initial: 'default',
    })
    const own = {
      cls_token: parameter(random.normalTensor([1, 1, width], 0, 1e-6)),
      pos_embed: parameter(random.normalTensor([1, grid[0] * grid[1] + 1, width], 0, deviation)),
    }
    const blocks = Array.from({ length: depth }, () => block(random, { width, heads }))
    const norm = layerNorm(width, { epsilon })
    const head = linear(random, { from: width, to: classes, deviation })
    const masks = masksFrom(random.fork('masks'))
    const named = blocks.map((each, b) => [`blocks.${b}`, each] as const)
    const ownTokens: Module = { parameters: own, buffers: {} }
    return classifierOf(
      {
        parts: { '': ownTokens, 'patch_embed.proj': proj, ...Object.fromEntries(named), norm, head },
        head,
        drawing: masks,
        body(images, mode) {
          const pass = mode === 'train' && stochasticDepth > 0 ? masks.nextPass() : null
          const filled = pad(images, [0, grid[1] * patch - wide, 0, grid[0] * patch - height])
          const patches = tokensOf(proj.forward(filled)).to({ dtype: 'float32' })
          const first = own.cls_token.expand(images.size(0), 1, width)
          const x = cat([first, patches], 1).add(own.pos_embed)
          const { tokens, maps } = throughBlocks(x, { blocks, grid, stochasticDepth, pass })
          return { embedding: norm.forward(tokens).select(1, 0), maps }
        },
      },
      context,
    )
  },
})

const mostTokens = 4096

function patchFor(side: number): number {
  return [4, 8, 16].find((patch) => side <= 16 * patch) ?? 32
}

/** x ← x + attention(norm(x)), then x ← x + mlp(norm(x)). */
function block(random: Random, { width, heads }: { width: number; heads: number }): TransformerBlock {
  const norm1 = layerNorm(width, { epsilon })
  const attn = attention(random, { width, heads, bias: true, deviation })
  const norm2 = layerNorm(width, { epsilon })
  const fc1 = linear(random, { from: width, to: 4 * width, deviation })
  const fc2 = linear(random, { from: 4 * width, to: width, deviation })
  return {
    ...join({ norm1, attn, norm2, mlp: join({ fc1, fc2 }) }),
    forward: (x, thin) =>
      scope(() => {
        const attended = x.add(thin(attn.forward(norm1.forward(x))))
        return attended.add(thin(fc2.forward(fc1.forward(norm2.forward(attended)).gelu())))
      }),
  }
}
