import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { crossEntropy, crossEntropyEach } from '../../nn/losses.ts'
import { scope } from '../../tensor/scope.ts'
import { gradients, type Tensor, tensor } from '../../tensor/tensor.ts'
import { classCorrections, nearlyAllFlagged, negativeLearningLoss, shownIn } from './negative-learning.ts'

const batchOf = (rows: readonly number[][], ys: readonly number[]) => ({
  logits: tensor(rows.flat(), [rows.length, rows[0]?.length ?? 0])
    .to({ device })
    .requiresGrad_(),
  labels: tensor(Int32Array.from(ys), [ys.length], 'int64').to({ device }),
  indices: Int32Array.from(ys.keys(), (place) => 10 * place),
})

const trimming = (...shares: readonly number[]) => shares.map((trimmedShare) => ({ prior: 1, trimmedShare }))

describe('the loss with flagged images', () => {
  const rows = [
    [1, 2, 3],
    [3, 0, 0],
    [1, 0, 0],
    [2, 0, 0],
    [0, 4, 0],
  ]
  const ys = [2, 0, 0, 0, 1]

  // images are numbered by tens
  const flagging = (ys: readonly number[], ...flagged: number[]) => ({
    labels: Int32Array.from({ length: 10 * ys.length }, (_, image) => ys[Math.floor(image / 10)] as number),
    flagged: (image: number) => flagged.includes(image),
  })

  it('is cross entropy where none is flagged, to the bit', () =>
    scope(() => {
      const batch = batchOf(rows, ys)
      const loss = negativeLearningLoss(flagging(ys), trimming(0.2, 0.2, 0.2))(batch)
      expect(loss.item()).toBe(crossEntropy(batch.logits, batch.labels).item())
    }))

  it('is −log p of the others, −2·log(1 − p) of flagged images, and 0 of those trimmed, which have the largest p', () =>
    scope(() => {
      const batch = batchOf(rows, ys)
      const loss = negativeLearningLoss(flagging(ys, 10, 20, 30), trimming(1 / 3, 0, 0))(batch)
      const entropies = crossEntropyEach(batch.logits, batch.labels).numbers() as number[]
      const negative = (place: number) => -Math.log(1 - Math.exp(-(entropies[place] as number)))
      const sum = (entropies[0] as number) + (entropies[4] as number) + 2 * (negative(2) + negative(3))
      expect(loss.item()).toBeCloseTo(sum / 5, 5)
      const gradient = (gradients(loss, [batch.logits])[0] as Tensor).numbers()
      expect(gradient.slice(3, 6).every((each) => each === 0)).toBe(true)
      expect(gradient[6]).toBeGreaterThan(0)
    }))

  it('is 0 where all images are flagged and trimmed', () =>
    scope(() => {
      const batch = batchOf(rows, ys)
      expect(negativeLearningLoss(flagging(ys, 0, 10, 20, 30, 40), trimming(1, 1, 1))(batch).item()).toBe(0)
    }))

  it('outweighs poisoned images that were missed', () =>
    scope(() => {
      // The first logit is what all images share, the trigger; 95 of 100 poisoned images are flagged.
      const poisoned = 100
      const found = 95
      const probability = (loss: ReturnType<typeof negativeLearningLoss>, images: number) => {
        let bias = 0
        for (let step = 0; step < 200; step++) {
          const batch = batchOf(Array(images).fill([bias, 0, 0]), Array(images).fill(0))
          const gradient = (gradients(loss(batch), [batch.logits])[0] as Tensor).numbers() as number[]
          for (let i = 0; i < images; i++) bias -= gradient[3 * i] as number
        }
        return Math.exp(bias) / (Math.exp(bias) + 2)
      }
      expect(probability(({ logits, labels }) => crossEntropy(logits, labels), poisoned - found)).toBeGreaterThan(0.9)
      expect(
        probability(
          negativeLearningLoss(
            { labels: new Int32Array(10 * poisoned), flagged: (image) => image < 10 * found },
            trimming(0.2),
          ),
          poisoned,
        ),
      ).toBeLessThan(0.1)
    }))

  it('does not learn a class as rare of which most images are flagged', () =>
    scope(() => {
      // Nothing tells the images apart; of the first class nine of ten are flagged.
      let logits = [0, 0]
      const corrections = [
        { prior: 0.1, trimmedShare: 1 },
        { prior: 1, trimmedShare: 1 },
      ]
      const labels = [...Array(10).fill(0), ...Array(10).fill(1)]
      const loss = negativeLearningLoss({ labels: Int32Array.from(labels), flagged: (image) => image < 9 }, corrections)
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
  const shown = shownIn({ labels: new Int32Array(10), flagged: (image) => image >= 4 })

  it('is all that are not flagged, and each flagged one every other time', () => {
    const epochs = [0, 1].map((epoch) => [...(shown?.(epoch) ?? [])])
    expect(epochs.map((images) => images.length)).toEqual([7, 7])
    for (const images of epochs) expect(images.slice(0, 4)).toEqual([0, 1, 2, 3])
    expect(epochs.flatMap((images) => images.slice(4)).sort()).toEqual([4, 5, 6, 7, 8, 9])
    expect(shown?.(2)).toEqual(shown?.(0))
  })

  it('is everything, as in plain training, where none is flagged', () => {
    expect(shownIn({ labels: new Int32Array(10), flagged: () => false })).toBeUndefined()
  })
})

describe('class corrections', () => {
  const correctionsOf = (counts: readonly { label: number; unflagged: number; flagged: number }[]) => {
    const images = counts.flatMap(({ label, unflagged, flagged }) => [
      ...Array<[number, boolean]>(unflagged).fill([label, false]),
      ...Array<[number, boolean]>(flagged).fill([label, true]),
    ])
    const labels = Int32Array.from(images, ([label]) => label)
    const isFlagged = (image: number) => images[image]?.[1] === true
    return classCorrections({ labels, flagged: isFlagged }, { classes: counts.length, falseDiscoveries: 0.1 })
  }

  it('trim, of poison from all classes, the false positives and the target’s own images, and change no prior', () => {
    const [target, other] = correctionsOf([
      { label: 0, unflagged: 75, flagged: 100 },
      ...[1, 2, 3].map((label) => ({ label, unflagged: 75, flagged: 0 })),
    ])
    expect(target?.trimmedShare).toBeCloseTo(0.1 + (100 - 75) / 100)
    expect(target?.prior).toBe(1)
    expect(other?.prior).toBe(1)
  })

  it('trim all of clean-label poison, and learn the class as if it had the mean unflagged size', () => {
    const [target, other] = correctionsOf([
      { label: 0, unflagged: 20, flagged: 80 },
      ...[1, 2, 3, 4].map((label) => ({ label, unflagged: 100, flagged: 0 })),
    ])
    expect(target).toEqual({ prior: 20 / 84, trimmedShare: 1 })
    expect(other?.prior).toBe(1)
  })

  it('trim q + 1/C and change no prior where classes differ in size', () => {
    const corrections = correctionsOf([
      { label: 0, unflagged: 10, flagged: 90 },
      ...[1, 2, 3, 4].map((label) => ({ label, unflagged: 40 * 2 ** label, flagged: 0 })),
    ])
    expect(corrections).toEqual(Array(5).fill({ prior: 1, trimmedShare: expect.closeTo(0.3) }))
  })

  it('do not count classes without images', () => {
    const present = [
      { label: 0, unflagged: 20, flagged: 80 },
      ...[1, 2, 3, 4].map((label) => ({ label, unflagged: 100, flagged: 0 })),
    ]
    const empty = [5, 6].map((label) => ({ label, unflagged: 0, flagged: 0 }))
    expect(correctionsOf([...present, ...empty]).slice(0, 5)).toEqual(correctionsOf(present))
    expect(nearlyAllFlagged({ labels: new Int32Array(20), flagged: (image) => image > 1 })).toEqual([])
    expect(nearlyAllFlagged({ labels: new Int32Array(20), flagged: (image) => image > 0 })).toEqual([0])
  })

  it('leave a class as it is that is small, or of which all images are flagged', () => {
    const [small, lost] = correctionsOf([
      { label: 0, unflagged: 5, flagged: 0 },
      { label: 1, unflagged: 0, flagged: 20 },
      { label: 2, unflagged: 100, flagged: 0 },
    ])
    expect(small?.prior).toBe(1)
    expect(lost?.prior).toBe(1)
  })
})
