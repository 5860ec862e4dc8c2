import { batchNorm } from '../nn/batch-norm.ts'
import { conv } from '../nn/conv.ts'
import { join, type Mode, type Module } from '../nn/module.ts'
import { autocast, type Compute } from '../tensor/device.ts'
import type { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { operator, type Tensor } from '../tensor/tensor.ts'

const maxPool = operator('max_pool2d')
const upsampleBilinear = operator('upsample_bilinear2d')

/** A network from images to pictures of the same size. */
export interface Generator extends Module {
  /** pixels in [0, 1], [batch, channels, height, width], to values in [0, 1], float32, [batch, outputs, height, width] */
  forward(images: Tensor, mode: Mode, precision?: Compute['precision']): Tensor
}

/**
 * The generator of Nguyen and Tran 2020: three steps down, each two convolutions and a max-pool, 32, 64 and 128 wide; a
 * middle of 128; three steps up, each bilinear and two convolutions; tanh/2 + 0.5. Every convolution is followed by a
 * batch norm and, but for the last, a ReLU. Running statistics move by 0.1 per step, PyTorch's default; in the authors' code by
 * 0.05.
 */
export function generator(
  random: Random,
  { inputs, outputs, compute }: { inputs: number; outputs: number; compute: Compute },
): Generator {
  const down = [
    [inputs, 32],
    [32, 64],
    [64, 128],
  ].map(([from = 0, to = 0]) => [unit(random, from, to), unit(random, to, to)] as const)
  const middle = unit(random, 128, 128)
  const up = [
    [128, 64],
    [64, 32],
    [32, outputs],
  ].map(([from = 0, to = 0]) => [unit(random, from, from), unit(random, from, to)] as const)
  const named = (name: string, pairs: readonly (readonly [Unit, Unit])[]) =>
    Object.fromEntries(pairs.flatMap(([a, b], i) => Object.entries({ [`${name}.${i}.a`]: a, [`${name}.${i}.b`]: b })))
  return {
    ...join({ ...named('down', down), middle, ...named('up', up) }),
    forward: (images, mode, precision = compute.precision) =>
      scope(() =>
        autocast({ device: compute.device, precision }, () => {
          let x = images.sub(0.5).div(0.25).contiguous('channelsLast')
          const sizes: number[][] = []
          for (const [first, second] of down) {
            sizes.push(x.shape.slice(2))
            x = scope(() => maxPool(second(first(x, mode).relu_(), mode).relu_(), [2, 2]))
          }
          x = middle(x, mode).relu_()
          up.forEach(([first, second], i) => {
            const size = sizes[down.length - 1 - i] as number[]
            const wide = scope(() => first(upsampleBilinear(x, size, false, null, null), mode).relu_())
            x = second(wide, mode)
            if (i + 1 < up.length) x.relu_()
          })
          return x.to({ dtype: 'float32' }).tanh().div(2).add(0.5)
        }),
      ),
  }
}

type Unit = Module & ((x: Tensor, mode: Mode) => Tensor)

/** A 3×3 convolution and a batch norm. */
function unit(random: Random, from: number, to: number): Unit {
  const convolution = conv(random, { from, to, kernel: 3 })
  const norm = batchNorm(to)
  return Object.assign(
    (x: Tensor, mode: Mode) => scope(() => norm.forward(convolution.forward(x), mode)),
    join({ convolution, norm }),
  )
}
