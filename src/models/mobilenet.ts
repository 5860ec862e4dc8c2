import { z } from 'zod'
import { batchNorm } from '../nn/batch-norm.ts'
import { classifierOf } from '../nn/classifier.ts'
import { conv } from '../nn/conv.ts'
import { dropout } from '../nn/dropout.ts'
import { linear } from '../nn/linear.ts'
import { masksFrom } from '../nn/masks.ts'
import { join, type Mode, type Module } from '../nn/module.ts'
import { meanOfPlaces } from '../nn/pool.ts'
import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { defineModel, isSmall } from './model.ts'

/** Table 2 of the paper: [expansion t, channels c, blocks n, stride s]. */
const groups = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const

/**
 * MobileNetV2 (Sandler et al. 2018): a convolution, 17 inverted residual blocks, a 1×1 convolution of 1,280, average pool, dropout,
 * linear. Names of weights, initialization and results are torchvision's. On small images the first convolution and the first
 * group with a stride keep the size, so that images shrink by 8 in all and not by 32.
 *
 * `maps` are what each resolution ends with.
 */
export const mobilenet = defineModel({
  title: 'MobileNetV2',
  paper: 'https://arxiv.org/abs/1801.04381',
  learning: { optimizer: 'sgd', rate: 0.5, weightDecay: 4e-5 },
  options: z.object({
    width: z.number().min(0.1).max(4).default(1).describe('factor of all widths, which are rounded to eights'),
    stem: z
      .enum(['auto', 'small', 'large'])
      .default('auto')
      .describe(
        'first layers: large has strides of 2 in the first convolution and in the group of 24 channels, small has none there; auto is small for images of up to 48 pixels',
      ),
    dropout: z.number().min(0).max(0.9).default(0.2).describe('share of the embedding left out in training'),
  }),
  recognize(shapes) {
    const [first, channels] = shapes.get('features.0.0.weight') ?? []
    const [classes, last] = shapes.get('classifier.1.weight') ?? []
    if (!first || !channels || !classes || !last) return null
    // The strides of the stem leave no trace in the shapes: those of torchvision.
    const options = { stem: 'large' as const }
    const begins = groups.map((_, g) => 1 + groups.slice(0, g).reduce((sum, [, , count]) => sum + count, 0))
    const widthOf = (g: number) => shapes.get(`features.${begins[g]}.conv.${g === 0 ? 1 : 2}.weight`)?.[0]
    const fits = (width: number) =>
      inEights(32 * width) === first &&
      inEights(1280 * Math.max(1, width)) === last &&
      groups.every(([, to], g) => inEights(to * width) === widthOf(g))
    const hundredths = Array.from({ length: 391 }, (_, i) => (10 + i) / 100)
    const width = [1, 0.35, 0.5, 0.75, 1.4, ...hundredths].find(fits)
    return width === undefined ? null : { options: { ...options, width }, classes, channels }
  },
  build({ width, stem, dropout: share }, context) {
    const { random, classes, shape } = context
    const small = stem === 'auto' ? isSmall(shape) : stem === 'small'
    let from = inEights(32 * width)
    const first = activated(random, { from: shape[0], to: from, kernel: 3, stride: small ? 1 : 2 })
    const blocks = groups.flatMap(([expansion, channels, count, ofGroup], g) =>
      Array.from({ length: count }, (_, b) => {
        const to = inEights(channels * width)
        const stride = b > 0 || (small && g === 1) ? 1 : ofGroup
        const made = invertedResidual(random, { from, to, stride, expansion })
        from = to
        return { ...made, stride }
      }),
    )
    const widest = inEights(1280 * Math.max(1, width))
    const last = activated(random, { from, to: widest, kernel: 1 })
    const head = linear(random, { from: widest, to: classes, deviation: 0.01 })
    const masks = masksFrom(random.fork('masks'))
    const features = [first, ...blocks, last].map((each, i) => [`features.${i}`, each] as const)
    return classifierOf(
      {
        parts: { ...Object.fromEntries(features), 'classifier.1': head },
        head,
        drawing: masks,
        body(images, mode) {
          const maps: Tensor[] = []
          let x = first.forward(images, mode)
          for (const each of blocks) {
            if (each.stride > 1) maps.push(x)
            x = each.forward(x, mode)
          }
          x = last.forward(x, mode)
          const pooled = meanOfPlaces(x)
          const dropped = mode === 'train' && share > 0 ? dropout(pooled, share, masks.nextPass()) : pooled
          return { embedding: dropped, maps: [...maps, x] }
        },
      },
      context,
    )
  },
})

interface Layer extends Module {
  forward(x: Tensor, mode: Mode): Tensor
}

/** A convolution, batch norm, and ReLU up to 6. */
function activated(random: Random, form: Parameters<typeof conv>[1]): Layer {
  const convolution = conv(random, form)
  const bn = batchNorm(form.to)
  return {
    ...join({ 0: convolution, 1: bn }),
    forward: (x, mode) => scope(() => bn.relu(convolution.forward(x), mode).clamp(null, 6)),
  }
}

/** 1×1 to `expansion` times the width, depthwise 3×3, 1×1 without activation; added to the input where the form stays. */
function invertedResidual(
  random: Random,
  { from, to, stride, expansion }: { from: number; to: number; stride: number; expansion: number },
): Layer {
  const inner = from * expansion
  const expand = expansion === 1 ? [] : [activated(random, { from, to: inner, kernel: 1 })]
  const depthwise = activated(random, { from: inner, to: inner, kernel: 3, stride, groups: inner })
  const project = conv(random, { from: inner, to, kernel: 1 })
  const bn = batchNorm(to)
  const layers = [...expand, depthwise]
  const named = [...layers, project, bn].map((each, i) => [`conv.${i}`, each] as const)
  return {
    ...join(Object.fromEntries(named)),
    // A scope of its own: what autograd does not need is free, and in the cache, for the next block.
    forward: (x, mode) =>
      scope(() => {
        const inside = layers.reduce((y, layer) => layer.forward(y, mode), x)
        const out = bn.forward(project.forward(inside), mode)
        return stride === 1 && from === to ? out.add(x) : out
      }),
  }
}

/** A multiple of 8 near a width, never a tenth below it. */
function inEights(width: number): number {
  const rounded = Math.max(8, 8 * Math.floor((width + 4) / 8))
  return rounded < 0.9 * width ? rounded + 8 : rounded
}
