import { models } from '../../models/index.ts'
import { crossEntropy } from '../../nn/losses.ts'
import { moveTo } from '../../nn/module.ts'
import { sgd } from '../../nn/sgd.ts'
import { type Compute, synchronize } from '../../tensor/device.ts'
import { Random } from '../../tensor/random.ts'
import { arena, scope } from '../../tensor/scope.ts'
import { type Tensor, tensor } from '../../tensor/tensor.ts'
import { median } from './statistics.ts'

const batch = 128
const classes = 10
const shape = [3, 32, 32] as const
/** different ones in turn: a network that knows its one batch by heart has gradients so small that they are slow to compute */
const batches = 5

/** How long a training step of the default network takes on images of 32×32 pixels, batch 128: the median of so many. */
export function measureSpeed(compute: Compute, steps = 20): Promise<{ stepMs: number; imagesPerSecond: number }> {
  return arena(async () => {
    const random = new Random(1)
    const { wrn } = models
    const normalization = { mean: [0.5, 0.5, 0.5], deviation: [0.25, 0.25, 0.25] }
    const context = { random, compute, classes, shape, normalization }
    const model = moveTo(wrn.build(wrn.options.parse({}), context), compute.device)
    const optimizer = sgd(model.parameters)
    const images = Array.from({ length: batches }, () =>
      random.uniformTensor([batch, ...shape]).to({ device: compute.device }),
    )
    const labels = tensor(
      Int32Array.from({ length: batch }, (_, i) => i % classes),
      [batch],
      'int64',
    ).to({ device: compute.device })
    const times = Array.from({ length: steps + batches }, (_, step) => {
      const began = performance.now()
      scope(() => {
        const { logits } = model.forward(images[step % batches] as Tensor, 'train')
        optimizer.step(crossEntropy(logits, labels), 0.01)
      })
      synchronize()
      return performance.now() - began
    })
    const stepMs = median(times.slice(batches)) as number // the first ones warm up
    return { stepMs, imagesPerSecond: (1000 * batch) / stepMs }
  })
}
