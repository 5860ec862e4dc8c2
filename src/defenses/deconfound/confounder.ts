import { batchNorm } from '../../nn/batch-norm.ts'
import { conv } from '../../nn/conv.ts'
import { linear } from '../../nn/linear.ts'
import { join, type Mode, type Module, moveTo } from '../../nn/module.ts'
import { autocast, type Compute } from '../../tensor/device.ts'
import type { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { residueChannels } from './residue.ts'

/** f: a small network that learns a trigger within a few epochs. */
export interface Confounder extends Module {
  /** [batch, classes], of residues [batch, residueChannels, ⌈height/2⌉, ⌈width/2⌉] */
  forward(residues: Tensor, mode: Mode): Tensor
}

/**
 * Batch norm, then convolutions 3×3 of 32 channels (batch norm, ReLU), then a linear layer over all places.
 *
 * The residue has half the sides of an image of `shape` [channels, height, width]. Each convolution but the first has stride
 * 2, and there are as many as it takes until neither side exceeds 8. Nothing is pooled, since most triggers keep their place.
 * The network is small: the fewer its weights, the fewer poisoned images it needs to tell a trigger from chance.
 */
export function makeConfounder(
  random: Random,
  { compute, shape, classes }: { compute: Compute; shape: readonly [number, number, number]; classes: number },
): Confounder {
  const [channels, height, width] = shape
  const halvings = Math.max(0, Math.ceil(Math.log2(Math.max(height, width) / 16)))
  const widths = [residueChannels(channels), ...Array<number>(halvings + 1).fill(32)]
  const input = batchNorm(widths[0] as number)
  const layers = widths.slice(1).map((to, i) => ({
    conv: conv(random, { from: widths[i] as number, to, kernel: 3, stride: i === 0 ? 1 : 2 }),
    bn: batchNorm(to),
  }))
  const halved = (side: number) => Math.ceil(side / 2 ** (halvings + 1))
  const head = linear(random, { from: halved(height) * halved(width) * (widths.at(-1) as number), to: classes })
  const modules = layers.flatMap(({ conv, bn }, i) => [
    [`conv${i}`, conv],
    [`bn${i}`, bn],
  ])
  return moveTo(
    {
      ...join({ input, ...Object.fromEntries(modules), head }),
      forward: (residues: Tensor, mode: Mode) =>
        scope(() => {
          const { device, precision } = compute
          const features = autocast({ device, precision: mode === 'train' ? precision : 'fp32' }, () =>
            layers.reduce((x, { conv, bn }) => bn.relu(conv.forward(x), mode), input.forward(residues, mode)),
          )
          return head.forward(features.to({ dtype: 'float32' }).contiguous().flatten(1))
        }),
    },
    compute.device,
  )
}
