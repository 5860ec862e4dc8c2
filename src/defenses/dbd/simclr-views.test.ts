import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import { liveTensors } from '../../tensor/tensor.ts'
import type { ImageShape } from '../../training/images.ts'
import { drawViews, makeViews } from './simclr-views.ts'

// The pixels are compared with PyTorch's in test/golden/dbd.test.ts.

const shape: ImageShape = [3, 32, 32]
const fields = [
  'row',
  'column',
  'height',
  'width',
  'brightness',
  'contrast',
  'saturation',
  'hue',
  'gray',
  'blur',
] as const
const draw = (seed: number, count: number, flip = true) => drawViews(new Random(seed), count, { shape, flip }).table
const read = (table: Float32Array) =>
  Array.from({ length: table.length / 10 }, (_, i) =>
    Object.fromEntries(fields.map((name, k) => [name, table[10 * i + k] as number])),
  ) as Record<(typeof fields)[number], number>[]

describe('the draws of a view', () => {
  const all = read(draw(1, 20_000))
  const share = (holds: (each: (typeof all)[number]) => boolean) => all.filter(holds).length / all.length

  it('lie inside of the image, in area and aspect as promised, half of them mirrored', () => {
    for (const { row, column, height, width } of all) {
      const w = Math.abs(width)
      expect(Math.min(row - height, column - w)).toBeGreaterThan(-1e-6)
      expect(Math.max(row + height, column + w)).toBeLessThan(1 + 1e-6)
      expect(4 * height * w).toBeGreaterThan(0.2 - 1e-6)
      expect(w / height).toBeGreaterThan(3 / 4 - 1e-5)
      expect(w / height).toBeLessThan(4 / 3 + 1e-5)
    }
    expect(share(({ width }) => width < 0)).toBeCloseTo(0.5, 1)
    expect(share(({ height, width }) => 4 * height * Math.abs(width) < 0.4)).toBeGreaterThan(0.24)
    expect(read(draw(1, 1000, false)).every(({ width }) => width > 0)).toBe(true)
  })

  it('change colors, gray and blur in as many as promised, by as much as promised', () => {
    expect(Math.abs(share(({ brightness }) => brightness !== 1) - 0.8)).toBeLessThan(0.015)
    expect(Math.abs(share(({ gray }) => gray === 1) - 0.2)).toBeLessThan(0.015)
    expect(Math.abs(share(({ blur }) => blur > 0) - 0.5)).toBeLessThan(0.015)
    const range = (name: (typeof fields)[number]) => {
      const values = all.map((each) => each[name]).sort((a, b) => a - b)
      return [values[0] as number, values[values.length - 1] as number] as const
    }
    for (const name of ['brightness', 'contrast', 'saturation'] as const) {
      expect(range(name)[0]).toBeCloseTo(0.6, 3)
      expect(range(name)[1]).toBeCloseTo(1.4, 3)
    }
    expect(range('hue')[0]).toBeCloseTo(-0.1, 3)
    expect(range('blur')[1]).toBeCloseTo(2, 2)
  })

  it('depend on the stream and the sample alone, not on how many samples there are', () => {
    expect(draw(1, 50)).toEqual(draw(1, 500).subarray(0, 500))
    expect(draw(1, 50)).not.toEqual(draw(2, 50))
  })
})

it('views stay in [0, 1] and on their device, and leave no tensor behind', () => {
  const before = liveTensors()
  scope(() => {
    const images = new Random(2).uniformTensor([8, ...shape]).to({ device })
    const views = makeViews(images, { table: draw(1, 20) }, Int32Array.of(3, 3, 0, 19, 4, 5, 6, 7))
    expect([views.shape, views.device, views.dtype]).toEqual([[8, ...shape], device, 'float32'])
    expect(views.min().item()).toBeGreaterThanOrEqual(0)
    expect(views.max().item()).toBeLessThanOrEqual(1)
  })
  expect(liveTensors()).toBe(before)
})
