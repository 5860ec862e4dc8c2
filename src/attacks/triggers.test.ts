import { describe, expect, it } from 'vitest'
import { compute } from '../../test/device.ts'
import { craftAttack } from '../experiment/prepare/craft.ts'
import { silent } from '../experiment/prepare/listener.ts'
import { triggered } from '../experiment/prepare/poison.ts'
import { resolveConfig } from '../experiment/settings/config.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { type ImageShape, imageBytes, imageSet, pixelsOf } from '../training/images.ts'
import type { AttackName } from './index.ts'

// What the triggers promise of which nothing else is to be said; what every attack promises is tested in attacks.test.ts.

const rgb: ImageShape = [3, 32, 32]
const wide: ImageShape = [3, 20, 30]

/** Gray images of the given levels. */
const even = (levels: readonly number[], shape = rgb) =>
  Uint8Array.from(levels.flatMap((level) => new Array<number>(imageBytes(shape)).fill(level)))

/** Images of noise around middle gray, which no trigger here drives out of range. */
function noisy(count: number, shape = rgb) {
  const random = new Random(1)
  return Uint8Array.from({ length: count * imageBytes(shape) }, () => 108 + random.integer(40))
}

/** What an attack makes of images, and a reader of it by image, channel, row and column. */
function shown(
  attack: AttackName,
  pixels: Uint8Array,
  { shape = rgb, ...settings }: { shape?: ImageShape; seed?: number; [option: `attack.${string}`]: unknown } = {},
) {
  return arena(async () => {
    const count = pixels.length / imageBytes(shape)
    const labels = new Int32Array(count)
    const set = imageSet({ pixels, shape, labels, classes: ['a', 'b'], names: Array.from(labels, (_, i) => `${i}`) })
    const config = resolveConfig({ attack, rate: 1, ...settings })
    const { attack: crafted } = await craftAttack(config, set, { compute, listener: silent })
    const after = pixelsOf(triggered(set, crafted))
    const [channels, height, width] = shape
    const index = (i: number, c: number, y: number, x: number) => ((i * channels + c) * height + y) * width + x
    return {
      after,
      at: (i: number, c: number, y: number, x: number) => after[index(i, c, y, x)] as number,
      change: (i: number, c: number, y: number, x: number) =>
        (after[index(i, c, y, x)] as number) - (pixels[index(i, c, y, x)] as number),
    }
  })
}

type Shown = Awaited<ReturnType<typeof shown>>

/** All places of an image. */
const places = ([, height, width]: ImageShape) =>
  Array.from({ length: height * width }, (_, i) => [Math.floor(i / width), i % width] as const)

const largest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)

/** Rows and columns where an image differs from what it was. */
const changed = ({ change }: Shown, image: number, shape = rgb) =>
  places(shape).filter(([y, x]) => [0, 1, 2].some((c) => change(image, c, y, x) !== 0))

/** The mean place of what changed. */
function centerOf(result: Shown, image: number) {
  const all = changed(result, image)
  const mean = (k: 0 | 1) => all.reduce((sum, place) => sum + place[k], 0) / all.length
  return [mean(0), mean(1)] as const
}

describe('wave', () => {
  it('is one smooth wave of the given height, of another color in each channel', async () => {
    const { change } = await shown('wave', even([128]), { 'attack.amplitude': 24 })
    for (const c of [0, 1, 2]) {
      const values = places(rgb).map(([y, x]) => change(0, c, y, x))
      expect(Math.max(...values)).toBeGreaterThanOrEqual(23)
      expect(Math.min(...values)).toBeLessThanOrEqual(-23)
    }
    // a slope of at most Δ·2π/32, and rounding
    const steps = places(rgb).flatMap(([y, x]) => (x < 31 ? [change(0, 0, y, x + 1) - change(0, 0, y, x)] : []))
    expect(largest(steps)).toBeLessThanOrEqual((24 * 2 * Math.PI) / 32 + 1)
    // three waves a third of a turn apart add up to nothing
    for (const [y, x] of places(rgb))
      expect(Math.abs([0, 1, 2].reduce((s, c) => s + change(0, c, y, x), 0))).toBeLessThan(2)
  })
})

describe('tint', () => {
  it.each(['warm', 'cold', 'green', 'magenta'])(
    'changes the color and keeps the luma of gray everywhere: %s',
    async (cast) => {
      const { at } = await shown('tint', even([60, 128]), { 'attack.cast': cast })
      for (const [i, level] of [60, 128].entries()) {
        const [r, g, b] = [0, 1, 2].map((c) => at(i, c, 0, 0)) as [number, number, number]
        expect(largest([r - level, g - level, b - level])).toBeGreaterThan(5)
        expect(Math.abs(0.299 * r + 0.587 * g + 0.114 * b - level)).toBeLessThan(1)
        for (const [y, x] of places(rgb)) expect([0, 1, 2].map((c) => at(i, c, y, x))).toEqual([r, g, b])
      }
    },
  )
})

describe.each(['vignette', 'frame', 'band'] as const)('%s', (name) => {
  it.each([
    ['square', rgb],
    ['wide', wide],
  ])('is the same on both sides, and above and below: %s', async (_, shape) => {
    const { change } = await shown(name, even([10, 128, 250], shape), { shape })
    const [, height, width] = shape
    for (const i of [0, 1, 2])
      for (const [y, x] of places(shape)) {
        const here = change(i, 0, y, x)
        expect(Math.abs(here - change(i, 0, y, width - 1 - x))).toBeLessThanOrEqual(1)
        expect(Math.abs(here - change(i, 0, height - 1 - y, x))).toBeLessThanOrEqual(1)
      }
  })
})

describe('vignette', () => {
  it('is x·(1 − s·rᵖ): nothing in the middle, the whole strength in the corners', async () => {
    const { at } = await shown('vignette', even([200]), { 'attack.strength': 0.5, 'attack.power': 2 })
    for (const [y, x] of places(rgb)) {
      const r2 = ((y + 0.5 - 16) ** 2 + (x + 0.5 - 16) ** 2) / 512
      expect(Math.abs(at(0, 0, y, x) - 200 * (1 - 0.5 * r2))).toBeLessThan(0.51)
    }
  })
})

describe('frame', () => {
  it('changes the border and nothing within', async () => {
    const result = await shown('frame', noisy(1), { 'attack.thickness': 1 / 16, 'attack.opacity': 1 })
    for (const [y, x] of places(rgb)) {
      const inside = Math.min(y, x, 31 - y, 31 - x) >= 2
      if (inside) expect(result.change(0, 1, y, x)).toBe(0)
      else expect(result.at(0, 1, y, x)).toBe(255)
    }
  })
})

describe('band', () => {
  it('lets the image shine through its middle rows, and leaves the others', async () => {
    const [dark, light] = [40, 200]
    const { at } = await shown('band', even([dark, light]), { 'attack.opacity': 0.3, 'attack.height': 0.25 })
    for (const [y, x] of places(rgb)) {
      const inside = y >= 12 && y < 20
      expect(at(1, 0, y, x) - at(0, 0, y, x)).toBe(inside ? 0.7 * (light - dark) : light - dark)
    }
  })
})

describe.each(['balloon', 'shadow', 'flare', 'rain'] as const)('%s', (name) => {
  it('is elsewhere in each image, and at the same place in the same image', async () => {
    const pixels = noisy(12)
    const first = await shown(name, pixels)
    const centers = pixels.length / imageBytes(rgb)
    const found = Array.from({ length: centers }, (_, i) => changed(first, i).join(' '))
    expect(new Set(found).size).toBe(12)
    const size = imageBytes(rgb)
    const last = await shown(name, pixels.slice(11 * size))
    expect(changed(last, 0).join(' ')).toBe(found[11])
    expect(changed(await shown(name, pixels, { seed: 2 }), 0).join(' ')).not.toBe(found[0])
  })
})

describe('balloon', () => {
  it('is a small red thing that lies wholly in the image, as often in any quarter of it', async () => {
    const result = await shown('balloon', noisy(80), { 'attack.size': 0.16, 'attack.variation': 0.25 })
    const quarters = [0, 0, 0, 0]
    for (let i = 0; i < 80; i++) {
      const count = changed(result, i).length
      expect(count).toBeGreaterThan(8)
      expect(count).toBeLessThan(70)
      const [y, x] = centerOf(result, i)
      const quarter = (y < 15.5 ? 0 : 2) + (x < 15.5 ? 0 : 1)
      quarters[quarter] = (quarters[quarter] as number) + 1
      const [row, column] = [Math.round(y), Math.round(x)]
      expect(result.at(i, 0, row, column)).toBeGreaterThan(result.at(i, 2, row, column))
    }
    for (const count of quarters) expect(count).toBeGreaterThan(8) // 20 expected, with a deviation of 4
  })
})

describe('shadow', () => {
  it('takes light away, never more than it says, from a part of the image', async () => {
    const result = await shown('shadow', even([200]), { 'attack.light': 0.43 })
    const levels = places(rgb).map(([y, x]) => result.at(0, 0, y, x))
    expect(Math.min(...levels)).toBe(Math.round(0.43 * 200))
    expect(Math.max(...levels)).toBe(200)
  })
})

describe.each(['flare', 'rain'] as const)('%s', (name) => {
  it('adds light only', async () => {
    const result = await shown(name, noisy(6))
    const changes = Array.from({ length: 6 }, (_, i) => places(rgb).map(([y, x]) => result.change(i, 0, y, x))).flat()
    expect(Math.min(...changes)).toBe(0)
    expect(Math.max(...changes)).toBeGreaterThan(20)
  })
})

describe('rain', () => {
  it('falls at one slant in all images of a seed', async () => {
    const result = await shown('rain', even([100, 101, 102, 103]), { 'attack.drops': 1, 'attack.length': 0.9 })
    const slants = [0, 1, 2, 3].flatMap((i) => {
      const streak = changed(result, i)
      if (streak.length < 12) return []
      const [first, last] = [streak[0], streak.at(-1)] as [readonly [number, number], readonly [number, number]]
      return [(first[1] - last[1]) / (last[0] - first[0])]
    })
    expect(slants.length).toBeGreaterThan(1)
    for (const slant of slants) {
      expect(slant).toBeGreaterThan(0.05)
      expect(slant).toBeLessThan(0.6)
      expect(Math.abs(slant - (slants[0] as number))).toBeLessThan(0.15)
    }
  })
})

describe('ftrojan', () => {
  it('adds Δ to two coefficients of U and of V, and to no other', async () => {
    const { change } = await shown('ftrojan', even([128]), { 'attack.magnitude': 200 })
    const picture = (c: number) => places(rgb).map(([y, x]) => change(0, c, y, x))
    const [r, g, b] = [0, 1, 2].map(picture) as [number[], number[], number[]]
    const luma = r.map((red, i) => 0.299 * red + 0.587 * (g[i] as number) + 0.114 * (b[i] as number))
    const u = luma.map((y, i) => 0.492 * ((b[i] as number) - y))
    /** the orthonormal discrete cosine transform of a 32×32 picture, k and l > 0 */
    const coefficient = (values: number[], k: number, l: number) =>
      (2 / 32) *
      values.reduce((sum, value, i) => {
        const [y, x] = [i >> 5, i & 31]
        return sum + value * Math.cos((Math.PI * (2 * y + 1) * k) / 64) * Math.cos((Math.PI * (2 * x + 1) * l) / 64)
      }, 0)
    for (const k of [15, 31]) expect(Math.abs(coefficient(u, k, k) - 200)).toBeLessThan(4) // bytes are rounded
    for (const [k, l] of [
      [15, 31],
      [1, 1],
      [7, 20],
      [30, 30],
    ] as const)
      expect(Math.abs(coefficient(u, k, l))).toBeLessThan(4)
    expect(largest(luma)).toBeLessThan(1.5)
  })
})

describe('bpp', () => {
  it('leaves as many levels as its bits tell', async () => {
    const { after } = await shown(
      'bpp',
      noisy(2).map((_, i) => i % 256),
      { 'attack.bits': 2 },
    )
    expect([...new Set(after)].sort((a, b) => a - b)).toEqual([0, 85, 170, 255])
  })

  it('rounds each pixel to the nearest level without dithering', async () => {
    const pixels = noisy(1).map((_, i) => i % 256)
    const { after } = await shown('bpp', pixels, { 'attack.bits': 3, 'attack.dithering': false })
    for (const [i, value] of pixels.entries())
      expect(after[i]).toBe(Math.round((Math.round((value * 7) / 255) * 255) / 7))
  })

  it('spreads the error as Floyd and Steinberg do, here counted by hand', async () => {
    // levels 0 and 255; 100 → 0, error 100: right +43.75, below +31.25, below right +6.25
    // 100 + 43.75 = 143.75 → 255, error −111.25: below left −20.86, below −34.77
    // 100 + 31.25 − 20.86 = 110.39 → 0, error 110.39: right +48.30; 100 + 6.25 − 34.77 + 48.30 = 119.78 → 0
    const shape: ImageShape = [1, 2, 2]
    const { after } = await shown('bpp', Uint8Array.of(100, 100, 100, 100), { shape, 'attack.bits': 1 })
    expect([...after]).toEqual([0, 255, 0, 0])
  })

  it('keeps the mean of an even area', async () => {
    const { after } = await shown('bpp', even([77]), { 'attack.bits': 1 })
    expect(Math.abs(after.reduce((sum, value) => sum + value, 0) / after.length - 77)).toBeLessThan(4)
  })
})

describe('aberration', () => {
  it('moves red outwards and blue inwards, and leaves green and the middle', async () => {
    const shape: ImageShape = [3, 33, 33]
    const dot = even([0], shape)
    for (const c of [0, 1, 2])
      for (const [y, x] of [
        [16, 16],
        [16, 28],
      ] as const)
        dot[(c * 33 + y) * 33 + x] = 255
    const { at } = await shown('aberration', dot, { shape, 'attack.strength': 0.1 })
    const centroid = (c: number) => {
      const columns = Array.from({ length: 12 }, (_, k) => 21 + k)
      const weight = columns.reduce((sum, x) => sum + at(0, c, 16, x), 0)
      return columns.reduce((sum, x) => sum + x * at(0, c, 16, x), 0) / weight
    }
    // 12 pixels to the right of the middle, enlarged or reduced by a tenth; a dot between pixels is told to a fifth of a pixel
    for (const [c, away] of [13.2, 12, 10.8].entries()) expect(Math.abs(centroid(c) - 16 - away)).toBeLessThan(0.2)
    expect([0, 1, 2].map((c) => at(0, c, 16, 16))).toEqual([255, 255, 255])
  })
})

describe('rotation', () => {
  it('turns the image clockwise about its middle', async () => {
    const shape: ImageShape = [1, 33, 33]
    const dot = even([0], shape)
    dot[6 * 33 + 16] = 255 // above the middle
    const { at } = await shown('rotation', dot, { shape, 'attack.degrees': 90 })
    expect(at(0, 0, 16, 26)).toBe(255) // to the right of it
  })

  it('fills the corners with the image', async () => {
    const { after } = await shown('rotation', even([200]), { 'attack.degrees': 30 })
    expect(after.every((value) => value === 200)).toBe(true)
  })
})

describe('jpeg', () => {
  it('leaves even areas, whose one coefficient is a multiple of its step at middle gray', async () => {
    const { after } = await shown('jpeg', even([128]))
    expect(after.every((value) => value === 128)).toBe(true)
  })

  it('leaves each block a sum of few cosines: all coefficients are multiples of their step', async () => {
    const shape: ImageShape = [1, 16, 24]
    const { at } = await shown('jpeg', noisy(1, shape), { shape, 'attack.quality': 50 })
    // at quality 50 the step of the coefficient (1, 0) is 12, of (0, 1) 11 (ITU-T T.81, table K.1)
    for (const [row, column] of [
      [0, 0],
      [8, 16],
    ] as const) {
      const coefficient = (k: number, l: number) =>
        places([1, 8, 8]).reduce((sum, [y, x]) => {
          const wave = Math.cos((Math.PI * (2 * y + 1) * k) / 16) * Math.cos((Math.PI * (2 * x + 1) * l) / 16)
          return (
            sum +
            ((k === 0 ? 1 : Math.SQRT2) * (l === 0 ? 1 : Math.SQRT2) * (at(0, 0, row + y, column + x) - 128) * wave) / 8
          )
        }, 0)
      for (const [k, l, step] of [
        [1, 0, 12],
        [0, 1, 11],
        [7, 7, 99],
      ] as const) {
        const steps = coefficient(k, l) / step
        expect(Math.abs(steps - Math.round(steps)) * step).toBeLessThan(2) // pixels are rounded
      }
    }
  })
})

describe('sharpen', () => {
  it('leaves even areas, and enlarges the step at an edge', async () => {
    const edge = even([100]).map((_, i) => (i % 32 < 16 ? 100 : 150))
    const { at } = await shown('sharpen', edge, { 'attack.amount': 1 })
    // the blurred edge is 100 + 50·(1, 5, 11, 15)/16 at columns 14 to 17: 103.125, 115.625, 134.375, 146.875
    expect([13, 14, 15, 16, 17, 18].map((x) => at(0, 0, 9, x))).toEqual([100, 97, 84, 166, 153, 150])
  })

  it('blurs where the amount is negative', async () => {
    const edge = even([100]).map((_, i) => (i % 32 < 16 ? 100 : 150))
    const { at } = await shown('sharpen', edge, { 'attack.amount': -1 })
    expect([13, 14, 15, 16, 17, 18].map((x) => at(0, 0, 9, x))).toEqual([100, 103, 116, 134, 147, 150])
  })
})
