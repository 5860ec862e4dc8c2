import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { crossEntropy, crossEntropyEach } from '../../nn/losses.ts'
import { scope } from '../../tensor/scope.ts'
import { gradients, type Tensor, tensor } from '../../tensor/tensor.ts'
import { distrust, nearlyLost, shownIn, takeToll } from './negative-learning.ts'

const batchOf = (rows: readonly number[][], ys: readonly number[]) => ({
  logits: tensor(rows.flat(), [rows.length, rows[0]?.length ?? 0])
    .to({ device })
    .requiresGrad_(),
  labels: tensor(Int32Array.from(ys), [ys.length], 'int64').to({ device }),
  indices: Int32Array.from(ys.keys(), (place) => 10 * place),
})

const sparing = (...shares: readonly number[]) => shares.map((spared) => ({ left: 1, spared }))

describe('distrust', () => {
  const rows = [
    [1, 2, 3],
    [3, 0, 0],
    [1, 0, 0],
    [2, 0, 0],
    [0, 4, 0],
  ]
  const ys = [2, 0, 0, 0, 1]

  // images are numbered by tens
  const suspecting = (ys: readonly number[], ...suspects: number[]) => ({
    labels: Int32Array.from({ length: 10 * ys.length }, (_, image) => ys[Math.floor(image / 10)] as number),
    suspected: (image: number) => suspects.includes(image),
  })

  it('is cross entropy where there are no suspects, to the bit', () =>
    scope(() => {
      const batch = batchOf(rows, ys)
      const loss = distrust(suspecting(ys), sparing(0.2, 0.2, 0.2))(batch)
      expect(loss.item()).toBe(crossEntropy(batch.logits, batch.labels).item())
    }))

  it('learns the labels of the others, twice what suspects are not, and nothing of those that look most like their label', () =>
    scope(() => {
      const batch = batchOf(rows, ys)
      const loss = distrust(suspecting(ys, 10, 20, 30), sparing(1 / 3, 0, 0))(batch)
      const entropies = crossEntropyEach(batch.logits, batch.labels).numbers() as number[]
      const denied = (place: number) => -Math.log(1 - Math.exp(-(entropies[place] as number)))
      const sum = (entropies[0] as number) + (entropies[4] as number) + 2 * (denied(2) + denied(3))
      expect(loss.item()).toBeCloseTo(sum / 5, 5)
      const gradient = (gradients(loss, [batch.logits])[0] as Tensor).numbers()
      expect(gradient.slice(3, 6).every((each) => each === 0)).toBe(true)
      expect(gradient[6]).toBeGreaterThan(0)
    }))

  it('teaches nothing where all suspects are spared', () =>
    scope(() => {
      const batch = batchOf(rows, ys)
      expect(distrust(suspecting(ys, 0, 10, 20, 30, 40), sparing(1, 1, 1))(batch).item()).toBe(0)
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
          distrust(
            { labels: new Int32Array(10 * poisoned), suspected: (image) => image < 10 * suspects },
            sparing(0.2),
          ),
          poisoned,
        ),
      ).toBeLessThan(0.1)
    }))

  it('does not take a class to be rare of which little is left', () =>
    scope(() => {
      // Nothing tells the images apart; of the first class nine of ten are suspected.
      let logits = [0, 0]
      const tolls = [
        { left: 0.1, spared: 1 },
        { left: 1, spared: 1 },
      ]
      const labels = [...Array(10).fill(0), ...Array(10).fill(1)]
      const loss = distrust({ labels: Int32Array.from(labels), suspected: (image) => image < 9 }, tolls)
      for (let step = 0; step < 300; step++) {
        const batch = batchOf(Array(20).fill(logits), labels)
        const gradient = (
          gradients(loss({ ...batch, indices: Int32Array.from(labels.keys()) }), [batch.logits])[0] as Tensor
        ).numbers() as number[]
        logits = logits.map((each, c) => each - labels.reduce((sum, _, i) => sum + (gradient[2 * i + c] as number), 0))
      }
      expect(logits[0]).toBeCloseTo(logits[1] as number, 2)
    }))
})

describe('what an epoch shows', () => {
  const shown = shownIn({ labels: new Int32Array(10), suspected: (image) => image >= 4 })

  it('is all that are believed, and each suspect every other time', () => {
    const epochs = [0, 1].map((epoch) => [...(shown?.(epoch) ?? [])])
    expect(epochs.map((images) => images.length)).toEqual([7, 7])
    for (const images of epochs) expect(images.slice(0, 4)).toEqual([0, 1, 2, 3])
    expect(epochs.flatMap((images) => images.slice(4)).sort()).toEqual([4, 5, 6, 7, 8, 9])
    expect(shown?.(2)).toEqual(shown?.(0))
  })

  it('is everything, as in plain training, where there are no suspects', () => {
    expect(shownIn({ labels: new Int32Array(10), suspected: () => false })).toBeUndefined()
  })
})

describe('the toll', () => {
  const tollsOf = (counts: readonly { label: number; kept: number; suspects: number }[]) => {
    const images = counts.flatMap(({ label, kept, suspects }) => [
      ...Array<[number, boolean]>(kept).fill([label, false]),
      ...Array<[number, boolean]>(suspects).fill([label, true]),
    ])
    const labels = Int32Array.from(images, ([label]) => label)
    const suspected = (image: number) => images[image]?.[1] === true
    return takeToll({ labels, suspected }, { classes: counts.length, falseDiscoveries: 0.1 })
  }

  it('of poison from all classes spares those named by mistake and the target’s own, and makes no class rare', () => {
    const [target, other] = tollsOf([
      { label: 0, kept: 75, suspects: 100 },
      ...[1, 2, 3].map((label) => ({ label, kept: 75, suspects: 0 })),
    ])
    expect(target?.spared).toBeCloseTo(0.1 + (100 - 75) / 100)
    expect(target?.left).toBe(1)
    expect(other?.left).toBe(1)
  })

  it('of clean-label poison spares all, and knows that the class is as large as others', () => {
    const [target, other] = tollsOf([
      { label: 0, kept: 20, suspects: 80 },
      ...[1, 2, 3, 4].map((label) => ({ label, kept: 100, suspects: 0 })),
    ])
    expect(target).toEqual({ left: 20 / 84, spared: 1 })
    expect(other?.left).toBe(1)
  })

  it('of classes that differ in size takes none to be rare by suspicion, and spares as of poison from all', () => {
    const tolls = tollsOf([
      { label: 0, kept: 10, suspects: 90 },
      ...[1, 2, 3, 4].map((label) => ({ label, kept: 40 * 2 ** label, suspects: 0 })),
    ])
    expect(tolls).toEqual(Array(5).fill({ left: 1, spared: expect.closeTo(0.3) }))
  })

  it('counts no class that has no images', () => {
    const present = [
      { label: 0, kept: 20, suspects: 80 },
      ...[1, 2, 3, 4].map((label) => ({ label, kept: 100, suspects: 0 })),
    ]
    const empty = [5, 6].map((label) => ({ label, kept: 0, suspects: 0 }))
    expect(tollsOf([...present, ...empty]).slice(0, 5)).toEqual(tollsOf(present))
    expect(nearlyLost({ labels: new Int32Array(20), suspected: (image) => image > 1 })).toEqual([])
    expect(nearlyLost({ labels: new Int32Array(20), suspected: (image) => image > 0 })).toEqual([0])
  })

  it('leaves a class that is small, or of which nothing is left, as it is', () => {
    const [small, lost] = tollsOf([
      { label: 0, kept: 5, suspects: 0 },
      { label: 1, kept: 0, suspects: 20 },
      { label: 2, kept: 100, suspects: 0 },
    ])
    expect(small?.left).toBe(1)
    expect(lost?.left).toBe(1)
  })
})
