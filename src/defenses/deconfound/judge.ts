import { batchNorm } from '../../nn/batch-norm.ts'
import { conv } from '../../nn/conv.ts'
import { linear } from '../../nn/linear.ts'
import { join, type Mode, type Module, moveTo } from '../../nn/module.ts'
import { averagePool, meanOfPlaces } from '../../nn/pool.ts'
import { preActivated, preActivationBlock } from '../../nn/pre-activation.ts'
import { autocast, type Compute } from '../../tensor/device.ts'
import type { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** A small network that says what an image shows. */
export interface Judge extends Module {
  /** logits, fp32 [batch, classes], of images as `shrunk` gives them */
  forward(images: Tensor, mode: Mode): Tensor
}

const widths = [16, 32, 64]

/** A residual network of three pre-activation blocks (16, 32 and 64 channels), in the run's precision. */
export function makeJudge(
  random: Random,
  { compute, channels, classes }: { compute: Compute; channels: number; classes: number },
): Judge {
  const stem = conv(random, { from: channels, to: 16, kernel: 3 })
  const blocks = widths.map((to, g) =>
    preActivationBlock(random, { from: widths[g - 1] ?? 16, to, stride: g > 0 ? 2 : 1 }),
  )
  const bn = batchNorm(64)
  const head = linear(random, { from: 64, to: classes })
  const groups = blocks.map((block) => [block])
  return moveTo(
    {
      ...join({ stem, ...Object.fromEntries(blocks.map((block, g) => [`block${g}`, block])), bn, head }),
      forward: (images: Tensor, mode: Mode) =>
        scope(() => {
          const embedding = autocast(compute, () =>
            meanOfPlaces(preActivated(stem.forward(images), { groups, bn, mode }).activated),
          )
          return head.forward(embedding)
        }),
    },
    compute.device,
  )
}

/** Images [batch, channels, height, width] in [0, 1], to [−1, 1] and by whole factors to sides of about `side` at most. */
export function shrunk(images: Tensor, side: number): Tensor {
  const factor = Math.max(1, Math.round(Math.max(images.size(2), images.size(3)) / side))
  const small = factor > 1 ? averagePool(images, factor) : images
  return small.mul(2).sub(1).contiguous('channelsLast')
}

/**
 * Each channel of each image to mean 0 and deviation 1 over its places: of content the shapes are left and where colors
 * change; brightness, contrast and a tint of the whole image go, by which a trigger could confuse those who never met it.
 */
export function standardized(images: Tensor): Tensor {
  const centered = images.sub(images.mean([2, 3], true))
  const deviation = centered.mul(centered).mean([2, 3], true).sqrt()
  return centered.div(deviation.add(0.05)).contiguous('channelsLast')
}
