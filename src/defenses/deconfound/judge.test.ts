import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { Random } from '../../tensor/random.ts'
import { arena } from '../../tensor/scope.ts'
import { tensor } from '../../tensor/tensor.ts'
import { makeJudge, shrunk, standardized } from './judge.ts'

const images = (...shape: number[]) => new Random(1).uniformTensor(shape).to({ device })

describe('judges', () => {
  it.each([
    [32, 16, 16],
    [32, 64, 32],
    [64, 32, 32],
    [224, 32, 32],
    [28, 16, 14],
    [16, 16, 16],
    [5, 16, 5],
  ])('see an image of side %i, shrunk to about %i, as one of side %i, in [−1, 1]', (side, wanted, found) =>
    arena(async () => {
      const small = shrunk(images(2, 3, side, side), wanted)
      expect(small.shape).toEqual([2, 3, found, found])
      expect(Math.max(...small.numbers())).toBeLessThanOrEqual(1)
      expect(Math.min(...small.numbers())).toBeGreaterThanOrEqual(-1)
    }),
  )

  it.each([
    [3, 16, 16],
    [1, 5, 9],
  ])('say a logit for each class, of images of %i×%i×%i', (channels, height, width) =>
    arena(async () => {
      const compute = { device, precision: 'fp32', threads: 1 } as const
      const judge = makeJudge(new Random(2), { compute, channels, classes: 7 })
      expect(judge.forward(images(4, channels, height, width), 'train').shape).toEqual([4, 7])
      expect(judge.forward(images(4, channels, height, width), 'eval').shape).toEqual([4, 7])
    }),
  )

  it('do not see a tint, nor how bright and how rich in contrast an image is', () =>
    arena(async () => {
      const plain = images(2, 3, 16, 16)
      const gains = tensor([0.7, 1, 1.3], [1, 3, 1, 1]).to({ device })
      const [found, expected] = [plain.mul(gains).add(0.1), plain].map((each) => standardized(each).numbers())
      found?.forEach((value, i) => void expect(Math.abs(value - (expected?.[i] as number))).toBeLessThan(0.15))
      expect(Math.max(...(expected as number[]))).toBeGreaterThan(1.2)
    }))
})
