import { afterAll, describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import { axis, drawAugmentation } from './augment.ts'
import { imageSet, pixelsOf } from './images.ts'
import { composed, loader } from './loader.ts'

const shape = [3, 5, 7] as const
const count = 11
const random = new Random(1)
const set = imageSet({
  pixels: Uint8Array.from({ length: count * 3 * 5 * 7 }, () => random.integer(256)),
  labels: new Int32Array(count),
  names: Array.from({ length: count }, (_, i) => String(i)),
  shape,
  classes: ['a'],
})
const images = loader(set, device)
afterAll(() => images.free())

describe('a batch cut in one pass', () => {
  it.each([
    ['cropped, mirrored and with a cutout', { padding: 2, flip: true, cutout: 3 }],
    ['as it is', { padding: 0, flip: false, cutout: 0 }],
    ['moved, with a mirrored margin', { padding: 3, flip: false, cutout: 0, margin: 'mirrored' }],
    ['moved and moved back', { padding: 2, flip: false, cutout: 0, margin: 'mirrored', back: true }],
  ] as const)('is bit for bit what libtorch’s own operators give: %s', (_, augmentation) => {
    const draws = drawAugmentation(random.fork('draws'), augmentation, count, [5, 7])
    const indices = Int32Array.from([3, 0, 10, 3])
    scope(() => {
      const pixels = tensor(pixelsOf(set), [count, ...shape])
        .permute(0, 2, 3, 1)
        .contiguous()
      const axes = ([0, 1] as const).map((offset) => {
        const length = shape[offset === 0 ? 1 : 2]
        const { from, inside, cut } = axis(draws, indices, length, offset)
        const place = [indices.length, length]
        return [tensor(from, place, 'int64'), tensor(inside, place), tensor(cut, place)] as const
      })
      const expected = composed(pixels, tensor(indices, [4], 'int64'), axes[0] as never, axes[1] as never)
      const got = images.images(indices, draws)
      expect(got.shape).toEqual([4, ...shape])
      expect(got.contiguous().numbers()).toEqual(expected.contiguous().numbers())
    })
  })

  it('refuses an image that is not there', () => {
    const draws = drawAugmentation(random, { padding: 0, flip: false, cutout: 0 }, count + 1, [5, 7])
    expect(() => scope(() => images.images(Int32Array.from([count]), draws))).toThrow()
  })
})
