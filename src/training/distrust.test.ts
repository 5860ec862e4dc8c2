import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { crossEntropy, crossEntropyEach } from '../nn/losses.ts'
import { scope } from '../tensor/scope.ts'
import { gradients, type Tensor, tensor } from '../tensor/tensor.ts'
import { distrust } from './distrust.ts'

const batchOf = (rows: readonly number[][], ys: readonly number[]) => ({
  logits: tensor(rows.flat(), [rows.length, rows[0]?.length ?? 0])
    .to({ device })
    .requiresGrad_(),
  labels: tensor(Int32Array.from(ys), [ys.length], 'int64').to({ device }),
  indices: Int32Array.from(ys.keys(), (place) => 10 * place),
})

describe('distrust', () => {
  const rows = [
    [1, 2, 3],
    [3, 0, 0],
    [1, 0, 0],
    [2, 0, 0],
    [0, 4, 0],
  ]
  const ys = [2, 0, 0, 0, 1]

  it('is cross entropy where there are no suspects, to the bit', () =>
    scope(() => {
      const batch = batchOf(rows, ys)
      const loss = distrust(() => false, { spared: 0.2 })(batch)
      expect(loss.item()).toBe(crossEntropy(batch.logits, batch.labels).item())
    }))

  it('learns the labels of the others, what suspects are not, and nothing of those that look most like their label', () =>
    scope(() => {
      const batch = batchOf(rows, ys)
      const loss = distrust((image) => [10, 20, 30].includes(image), { spared: 1 / 3 })(batch)
      const entropies = crossEntropyEach(batch.logits, batch.labels).numbers() as number[]
      const denied = (place: number) => -Math.log(1 - Math.exp(-(entropies[place] as number)))
      const sum = (entropies[0] as number) + (entropies[4] as number) + denied(2) + denied(3)
      expect(loss.item()).toBeCloseTo(sum / 5, 5)
      const gradient = (gradients(loss, [batch.logits])[0] as Tensor).numbers()
      expect(gradient.slice(3, 6).every((each) => each === 0)).toBe(true)
      expect(gradient[6]).toBeGreaterThan(0)
    }))

  it('teaches nothing where all suspects are spared', () =>
    scope(() => {
      const batch = batchOf(rows, ys)
      expect(distrust(() => true, { spared: 1.1 })(batch).item()).toBe(0)
    }))

  it('outweighs poisoned images that were missed', () =>
    scope(() => {
      // The first logit is what all images share, the trigger; 95 of 100 poisoned images are suspected.
      const poisoned = 100
      const suspects = 95
      const probability = (loss: ReturnType<typeof distrust>, images: number) => {
        let bias = 0
        for (let step = 0; step < 200; step++) {
          const batch = batchOf(Array(images).fill([bias, 0, 0]), Array(images).fill(0))
          const gradient = (gradients(loss(batch), [batch.logits])[0] as Tensor).numbers() as number[]
          for (let i = 0; i < images; i++) bias -= gradient[3 * i] as number
        }
        return Math.exp(bias) / (Math.exp(bias) + 2)
      }
      expect(probability(({ logits, labels }) => crossEntropy(logits, labels), poisoned - suspects)).toBeGreaterThan(
        0.9,
      )
      expect(
        probability(
          distrust((image) => image < 10 * suspects, { spared: 0.2 }),
          poisoned,
        ),
      ).toBeLessThan(0.1)
    }))
})
