import { z } from 'zod'
import { batchNorm } from '../nn/batch-norm.ts'
import { type Classifier, classifierOf } from '../nn/classifier.ts'
import { conv } from '../nn/conv.ts'
import { dropout } from '../nn/dropout.ts'
import { type Linear, linear } from '../nn/linear.ts'
import { masksFrom } from '../nn/masks.ts'
import type { Mode, Module } from '../nn/module.ts'
import { averagePoolTo, maxPool, meanOfPlaces } from '../nn/pool.ts'
import type { Random } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { defineModel, isSmall, type ModelContext } from './model.ts'

/** Convolutions of the five stages, table 1 of the paper. */
const convolutions = { 11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4] } as const

const options = z.object({
  depth: z.literal([11, 13, 16, 19]).default(16).describe('number of layers with weights'),
  width: z
    .int()
    .min(1)
    .max(512)
    .default(64)
    .describe('channels of the first stage; the later ones have 2, 4, 8, 8 times'),
  head: z
    .enum(['auto', 'small', 'large'])
    .default('auto')
    .describe(
      'what follows the convolutions: small is the mean over all places and a linear layer; large is three linear layers over 7×7 places; auto is small for images of up to 48 pixels',
    ),
  hidden: z.int().min(1).max(16384).default(4096).describe('width of the hidden layers of the large head'),
  dropout: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.5)
    .describe('share of the hidden layers of the large head left out in training'),
})

/**
 * VGG with batch norm (Simonyan and Zisserman 2014): five stages of 3×3 convolutions, each ending in a 2×2 max pool, so that
 * images need 32 pixels a side. Names of weights, initialization and results are torchvision's with the large head, which has
 * 124 million parameters. On small images its 7×7 places would be copies of one or four; there the small head is usual.
 *
 * The embedding is what enters the last linear layer. `maps` are what enters each max pool. A convolution's bias, which
 * torchvision has, is taken away again by the batch norm behind it.
 */
export const vgg = defineModel({
  title: 'VGG with batch norm',
  paper: 'https://arxiv.org/abs/1409.1556',
  smallest: 32,
  learning: { optimizer: 'sgd', rate: 0.1, weightDecay: 5e-4 },
  options,
  recognize(shapes) {
    const [width, channels] = shapes.get('features.0.weight') ?? []
    const [hidden] = shapes.get('classifier.0.weight') ?? []
    const [classes] = shapes.get(hidden ? 'classifier.6.weight' : 'classifier.weight') ?? []
    const places = Array.from(shapes.keys(), (name) => Number(/^features\.(\d+)\./.exec(name)?.[1] ?? -1))
    const last = Math.max(...places)
    // Each convolution counts with its batch norm and ReLU, each stage with its pool; the last with a name is a batch norm.
    const lastOf = (depth: keyof typeof convolutions) =>
      convolutions[depth].reduce((sum: number, count) => sum + 3 * count + 1, 0) - 3
    const depth = ([11, 13, 16, 19] as const).find((each) => lastOf(each) === last)
    if (!depth || !width || !channels || !classes) return null
    const head = hidden ? { head: 'large' as const, hidden } : { head: 'small' as const }
    return { options: { depth, width, ...head }, classes, channels }
  },
  build: (chosen, context) => build(chosen, context),
})

function build(
  { depth, width, head: kind, hidden, dropout: share }: z.output<typeof options>,
  context: ModelContext,
): Classifier {
  const { random, classes, shape } = context
  const small = kind === 'auto' ? isSmall(shape) : kind === 'small'
  const { stages, features } = featuresOf(random, { counts: convolutions[depth], width, channels: shape[0] })
  const channels = 8 * width
  const masks = masksFrom(random.fork('masks'))
  const plain = (from: number, to: number) => linear(random, { from, to, deviation: 0.01 })
  const wide = small ? [] : [plain(channels * 49, hidden), plain(hidden, hidden)]
  const head = plain(small ? channels : hidden, classes)
  const behind = Object.fromEntries(wide.map((each, i) => [`classifier.${3 * i}`, each]))
  const last = small ? 'classifier' : 'classifier.6'

  /** Two linear layers, each with ReLU and dropout. */
  const embed = (pooled: Tensor, mode: Mode) => {
    const pass = mode === 'train' && share > 0 ? masks.nextPass() : null
    return wide.reduce((x: Tensor, layer: Linear) => {
      const activated = layer.forward(x).relu_()
      return pass ? dropout(activated, share, pass) : activated
    }, pooled)
  }
  return classifierOf(
    {
      parts: { ...features, ...behind, [last]: head },
      head,
      drawing: masks,
      body(images, mode) {
        const maps: Tensor[] = []
        const x = stages.reduce((input: Tensor, stage) => {
          const map = stage.reduce((y: Tensor, layer) => layer.forward(y, mode), input)
          maps.push(map)
          return maxPool(map, { kernel: 2 })
        }, images)
        const embedding = small ? meanOfPlaces(x) : embed(averagePoolTo(x, 7).contiguous().flatten(1), mode)
        return { embedding, maps }
      },
    },
    context,
  )
}

interface Layer {
  /** convolution, batch norm, ReLU */
  forward(x: Tensor, mode: Mode): Tensor
}

/** The layers of each stage, and their weights under torchvision's numbers, in which ReLU and pool count too. */
function featuresOf(
  random: Random,
  { counts, width, channels }: { counts: readonly number[]; width: number; channels: number },
): { stages: Layer[][]; features: Record<string, Module> } {
  const features: Record<string, Module> = {}
  let [at, from] = [0, channels]
  const stages = counts.map((count, s) => {
    const to = width * Math.min(8, 2 ** s)
    const layers = Array.from({ length: count }, (): Layer => {
      const convolution = conv(random, { from, to, kernel: 3, bias: true })
      const bn = batchNorm(to)
      features[`features.${at}`] = convolution
      features[`features.${at + 1}`] = bn
      at += 3
      from = to
      return { forward: (x, mode) => bn.relu(convolution.forward(x), mode) }
    })
    at += 1
    return layers
  })
  return { stages, features }
}
