import { z } from 'zod'
import { batchNorm } from '../nn/batch-norm.ts'
import { classifierOf } from '../nn/classifier.ts'
import { conv } from '../nn/conv.ts'
import { linear } from '../nn/linear.ts'
import { maxPool, meanOfPlaces } from '../nn/pool.ts'
import { preActivated, preActivationBlock } from '../nn/pre-activation.ts'
import { defineModel, isSmall, stemOption } from './model.ts'

const blocksOf = { 18: [2, 2, 2, 2], 34: [3, 4, 6, 3] } as const

/**
 * Pre-activation residual network (He et al. 2016b), which papers on backdoors train on CIFAR-10 and GTSRB: a convolution, four
 * layers of blocks 64, 128, 256 and 512 wide with strides 1, 2, 2, 2, then batch norm, ReLU, average pool, linear.
 * Convolutions begin with He's variance (fan out), as torchvision's ResNets do.
 */
export const preactResnet = defineModel({
  title: 'Pre-activation residual network',
  paper: 'https://arxiv.org/abs/1603.05027',
  options: z.object({
    depth: z.literal([18, 34]).default(18).describe('number of layers'),
    width: z.int().min(1).max(1024).default(64).describe('channels of the first layer; each later layer doubles them'),
    stem: stemOption,
  }),
  recognize(shapes) {
    const [width, channels, kernel] = shapes.get('conv1.weight') ?? []
    const [classes] = shapes.get('linear.weight') ?? []
    const depth = ([18, 34] as const).find((each) =>
      blocksOf[each].every(
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
    const small = stem === 'auto' ? isSmall(shape) : stem === 'small'
    const conv1 = conv(random, { from: shape[0], to: width, kernel: small ? 3 : 7, stride: small ? 1 : 2 })
    const widths = [1, 2, 4, 8].map((times) => width * times)
    const last = widths[3] as number
    const groups = widths.map((to, l) =>
      Array.from({ length: blocksOf[depth][l] as number }, (_, b) =>
        preActivationBlock(random, {
          from: b > 0 ? to : (widths[l - 1] ?? width),
          to,
          stride: b === 0 && l > 0 ? 2 : 1,
        }),
      ),
    )
    const bn = batchNorm(last)
    const head = linear(random, { from: last, to: classes })
    const named = groups.flatMap((group, l) => group.map((each, b) => [`layer${l + 1}.${b}`, each] as const))
    return classifierOf(
      {
        parts: { conv1, ...Object.fromEntries(named), bn, linear: head },
        head,
        body(images, mode) {
          const convolved = conv1.forward(images)
          const stemmed = small ? convolved : maxPool(convolved, { kernel: 3, stride: 2, padding: 1 })
          const { activated, maps } = preActivated(stemmed, { groups, bn, mode })
          return { embedding: meanOfPlaces(activated), maps }
        },
      },
      context,
    )
  },
})
