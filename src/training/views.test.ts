import { afterAll, describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { type Augmentation, drawAugmentation } from './augment.ts'
import { imageSet, subset } from './images.ts'
import { loader, part } from './loader.ts'

// What parts and colors make of pixels is compared with PyTorch's in test/golden/dbd.test.ts.

const size = [12, 10] as const
const count = 40
const random = new Random(1)
const set = imageSet({
  pixels: Uint8Array.from({ length: count * 3 * 120 }, () => 40 + random.integer(170)),
  labels: new Int32Array(count),
  names: Array.from({ length: count }, (_, i) => String(i)),
  shape: [3, ...size],
  classes: ['a'],
})
const images = loader(set, device)
afterAll(() => images.free())
const all = Int32Array.from({ length: count }, (_, i) => i)
const plain: Augmentation = { padding: 0, flip: false, cutout: 0 }

const drawn = (augmentation: Augmentation, seed = 1) => drawAugmentation(new Random(seed), augmentation, count, size)
const shown = (augmentation: Augmentation, indices = all) =>
  scope(() => images.images(indices, drawn(augmentation)).contiguous().numbers())

describe('parts and colors', () => {
  it('leave the image as it is where the part is the whole and the colors do not change', () => {
    const [as, is] = [shown({ ...plain, part: 1, color: 1e-9 }), shown(plain)]
    // A part of the image's area that is not square is smaller than the image, so that ten draws may fit none.
    const whole = as.filter((value, i) => Math.abs(value - (is[i] as number)) < 1e-5).length
    expect(whole / is.length).toBeGreaterThan(0.9)
  })

  it('are other ones for each image and epoch, and the same for the same seed', () => {
    const { views } = drawn({ ...plain, part: 0.25, color: 0.4 })
    expect(drawn({ ...plain, part: 0.25, color: 0.4 }).views).toEqual(views)
    expect(drawn({ ...plain, part: 0.25, color: 0.4 }, 2).views).not.toEqual(views)
    const rows = Array.from({ length: count }, (_, i) => views?.subarray(7 * i, 7 * i + 7).join())
    expect(new Set(rows).size).toBe(count)
  })

  it('show at least the share that is asked for, inside of the image', () => {
    const { views = new Float32Array() } = drawn({ ...plain, part: 0.25 })
    for (const i of all) {
      const [row, column, high, wide] = views.subarray(7 * i, 7 * i + 4) as unknown as [number, number, number, number]
      expect(4 * high * wide).toBeGreaterThan(0.25 - 1e-6)
      expect(Math.min(row - high, column - wide)).toBeGreaterThan(-1e-6)
      expect(Math.max(row + high, column + wide)).toBeLessThan(1 + 1e-6)
    }
  })

  it('do not move what is drawn besides, and are not drawn where nobody asks', () => {
    const both = drawn({ padding: 2, flip: true, cutout: 3, color: 0.3 })
    const without = drawn({ padding: 2, flip: true, cutout: 3 })
    expect(both.table).toEqual(without.table)
    expect(without.views).toBeUndefined()
  })

  it('come before the cutout, whose hole keeps its size', () => {
    const holes = shown({ ...plain, cutout: 4, part: 0.25 })
    for (const i of all) {
      const black = holes.slice(i * 360, i * 360 + 120).filter((value) => value === 0).length
      expect(black).toBeLessThanOrEqual(16)
      expect(black).toBeGreaterThanOrEqual(4)
    }
  })

  it('change brightness by at most the share that is asked for', () => {
    const [changed, is] = [shown({ ...plain, color: 0.2 }), shown(plain)]
    const mean = (values: readonly number[], i: number) =>
      values.slice(i * 360, (i + 1) * 360).reduce((sum, value) => sum + value, 0) / 360
    const factors = Array.from(all, (i) => mean(changed, i) / mean(is, i))
    expect(Math.min(...factors)).toBeGreaterThan(0.79)
    expect(Math.max(...factors)).toBeLessThan(1.21)
    expect(Math.max(...factors) - Math.min(...factors)).toBeGreaterThan(0.2)
  })

  it('are the same whatever the batch, and for some of the images as for a set of these alone', () => {
    const augmentation = { padding: 1, flip: true, cutout: 2, part: 0.25, color: 0.4 }
    const whole = shown(augmentation)
    expect(shown(augmentation, Int32Array.of(7))).toEqual(whole.slice(7 * 360, 8 * 360))
    const chosen = Int32Array.of(9, 3)
    const alone = loader(subset(set, chosen), device)
    const draws = drawAugmentation(new Random(5), augmentation, 2, size)
    scope(() => {
      const both = Int32Array.of(0, 1)
      const some = part(images, chosen).images(both, draws)
      expect(some.numbers()).toEqual(alone.images(both, draws).numbers())
    })
    alone.free()
  })
})
