import { z } from 'zod'
import { batchNorm } from '../nn/batch-norm.ts'
import { classifierOf } from '../nn/classifier.ts'
import { conv } from '../nn/conv.ts'
import { linear } from '../nn/linear.ts'
import { join, type Mode, type Module } from '../nn/module.ts'
import { maxPool, meanOfPlaces } from '../nn/pool.ts'
import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { defineModel, isSmall, stemOption } from './model.ts'

/** Blocks of the four layers, and which kind, by depth: table 1 of the paper. */
const forms = {
  18: { blocks: [2, 2, 2, 2], block: basic, expansion: 1 },
  34: { blocks: [3, 4, 6, 3], block: basic, expansion: 1 },
  50: { blocks: [3, 4, 6, 3], block: bottleneck, expansion: 4 },
} as const

/**
 * Residual network (He et al. 2015): a stem of 64, four layers of blocks 64, 128, 256 and 512 wide with strides 1, 2, 2, 2,
 * average pool, linear. A block of ResNet-50 is four times as wide at its end and has its stride in the 3×3 convolution.
 * Names of weights, initialization and results are torchvision's. The stem for small images is the usual one of CIFAR-10.
 */
export const resnet = defineModel({
  title: 'Residual network',
  paper: 'https://arxiv.org/abs/1512.03385',
  options: z.object({
    depth: z.literal([18, 34, 50]).default(18).describe('number of layers'),
    width: z.int().min(1).max(1024).default(64).describe('channels of the first layer; each later layer doubles them'),
    stem: stemOption,
  }),
  recognize(shapes) {
    const [width, channels, kernel] = shapes.get('conv1.weight') ?? []
    const [classes] = shapes.get('fc.weight') ?? []
    const expansion = shapes.has('layer1.0.conv3.weight') ? 4 : 1
    const depth = ([18, 34, 50] as const).find(
      (each) =>
        forms[each].expansion === expansion &&
        forms[each].blocks.every(
          (count, l) =>
            shapes.has(`layer${l + 1}.${count - 1}.bn1.weight`) && !shapes.has(`layer${l + 1}.${count}.bn1.weight`),
        ),
    )
    if (!depth || !width || !channels || !classes || !kernel) return null
    return {
      options: { depth, width, stem: kernel === 3 ? ('small' as const) : ('large' as const) },
      classes,
      channels,
    }
  },
  build({ depth, width, stem }, context) {
    const { random, classes, shape } = context
    const { blocks, block, expansion } = forms[depth]
    const small = stem === 'auto' ? isSmall(shape) : stem === 'small'
    const conv1 = conv(random, { from: shape[0], to: width, kernel: small ? 3 : 7, stride: small ? 1 : 2 })
    const bn1 = batchNorm(width)
    let from = width
    const layers = blocks.map((count, l) =>
      Array.from({ length: count }, (_, b) => {
        const inner = width * 2 ** l
        const made = block(random, { from, inner, to: inner * expansion, stride: b === 0 && l > 0 ? 2 : 1 })
        from = inner * expansion
        return made
      }),
    )
    const fc = linear(random, { from, to: classes })
    const named = layers.flatMap((layer, l) => layer.map((each, b) => [`layer${l + 1}.${b}`, each] as const))
    return classifierOf(
      {
        parts: { conv1, bn1, ...Object.fromEntries(named), fc },
        head: fc,
        body(images, mode) {
          const stemmed = bn1.relu(conv1.forward(images), mode)
          let x = small ? stemmed : maxPool(stemmed, { kernel: 3, stride: 2, padding: 1 })
          const maps = layers.map((layer) => {
            for (const each of layer) x = each.forward(x, mode)
            return x
          })
          return { embedding: meanOfPlaces(x), maps }
        },
      },
      context,
    )
  },
})

interface Block extends Module {
  forward(x: Tensor, mode: Mode): Tensor
}

interface BlockForm {
  readonly from: number
  /** of its 3×3 convolutions */
  readonly inner: number
  readonly to: number
  readonly stride: number
}

/** 3×3, 3×3; a batch norm after each, ReLU between them and after the shortcut is added. */
function basic(random: Random, form: BlockForm): Block {
  const { from, to, stride } = form
  const conv1 = conv(random, { from, to, kernel: 3, stride })
  const bn1 = batchNorm(to)
  const conv2 = conv(random, { from: to, to, kernel: 3 })
  const bn2 = batchNorm(to)
  return residual(random, form, {
    parts: { conv1, bn1, conv2, bn2 },
    forward: (x, mode) => bn2.forward(conv2.forward(bn1.relu(conv1.forward(x), mode)), mode),
  })
}

/** 1×1, 3×3, 1×1; a batch norm after each, ReLU between them and after the shortcut is added. */
function bottleneck(random: Random, form: BlockForm): Block {
  const { from, inner, to, stride } = form
  const conv1 = conv(random, { from, to: inner, kernel: 1 })
  const bn1 = batchNorm(inner)
  const conv2 = conv(random, { from: inner, to: inner, kernel: 3, stride })
  const bn2 = batchNorm(inner)
  const conv3 = conv(random, { from: inner, to, kernel: 1 })
  const bn3 = batchNorm(to)
  return residual(random, form, {
    parts: { conv1, bn1, conv2, bn2, conv3, bn3 },
    forward(x, mode) {
      const narrowed = bn1.relu(conv1.forward(x), mode)
      return bn3.forward(conv3.forward(bn2.relu(conv2.forward(narrowed), mode)), mode)
    },
  })
}

/** ReLU of the sum of a branch and its input: the input itself, or 1×1 and batch norm where the width or the size changes. */
function residual(
  random: Random,
  { from, to, stride }: BlockForm,
  branch: { parts: Readonly<Record<string, Module>>; forward(x: Tensor, mode: Mode): Tensor },
): Block {
  const changes = from !== to || stride !== 1
  const shortcut = changes ? { 0: conv(random, { from, to, kernel: 1, stride }), 1: batchNorm(to) } : null
  return {
    ...join(shortcut ? { ...branch.parts, downsample: join(shortcut) } : branch.parts),
    // A scope of its own: what autograd does not need is free, and in the cache, for the next block.
    forward: (x, mode) =>
      scope(() => {
        const input = shortcut ? shortcut[1].forward(shortcut[0].forward(x), mode) : x
        return branch.forward(x, mode).add(input).relu_()
      }),
  }
}
