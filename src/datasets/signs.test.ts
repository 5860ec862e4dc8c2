import { beforeAll, describe, expect, it } from 'vitest'
import { type ImageSet, pixelsOf } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import type { Dataset } from './dataset.ts'
import { signs } from './signs.ts'
import { layer, plates, signClasses } from './signs-classes.ts'
import { drawSign } from './signs-draw.ts'

const load = (options: { train?: number; test?: number }, seed = 1) =>
  signs.load(signs.options.parse(options), { data: undefined, seed, progress: () => undefined })

/** Features of each image, one row per image. */
type Features = (set: ImageSet, image: number) => number[]

const pixel = (set: ImageSet, image: number, { channel, x, y }: { channel: number; x: number; y: number }) =>
  rowReader(set.rows)(image)[(y * 32 + x) * 3 + channel] as number

/** Share of test images that lie nearest to the mean of their class, in units of each feature's deviation. */
function nearestMean({ train, test }: Dataset, features: Features): number {
  const rows = Array.from(train.labels, (_, i) => features(train, i))
  const width = rows[0]?.length as number
  const over = (some: number[][], of: (value: number, at: number) => number) =>
    Array.from(
      { length: width },
      (_, at) => some.reduce((sum, row) => sum + of(row[at] as number, at), 0) / some.length,
    )
  const center = over(rows, (value) => value)
  const deviation = over(rows, (value, at) => (value - (center[at] as number)) ** 2).map(Math.sqrt)
  const means = signClasses.map((_, label) =>
    over(
      rows.filter((_, i) => train.labels[i] === label),
      (value) => value,
    ),
  )
  const distance = (row: number[], mean: number[]) =>
    row.reduce((sum, value, at) => sum + ((value - (mean[at] as number)) / ((deviation[at] as number) + 1e-9)) ** 2, 0)
  const set = test as ImageSet
  const right = Array.from(set.labels).filter((label, i) => {
    const distances = means.map((mean) => distance(features(set, i), mean))
    return distances.indexOf(Math.min(...distances)) === label
  })
  return right.length / set.labels.length
}

describe('signs', () => {
  let data: Dataset
  beforeAll(async () => {
    data = await load({ train: 1500, test: 600 })
  }, 60_000)

  it('draws the same images from the same seed, and others from another', async () => {
    const again = await load({ train: 60, test: 24 })
    expect(again.train.hash).toBe((await load({ train: 60, test: 24 })).train.hash)
    expect(again.train.hash).not.toBe((await load({ train: 60, test: 24 }, 2)).train.hash)
    expect(again.train.hash).not.toBe((await load({ train: 60, test: 24 }, 2 ** 32 + 1)).train.hash)
  })

  it('draws the images it has always drawn', async () => {
    // whoever changes this changes everybody's first results: say so in the change log
    expect((await load({ train: 120, test: 12 })).train.hash.slice(0, 16)).toBe('62b4f0bd9f983977')
  })

  it('begins a larger set with the smaller one, and shares no image between training and test', async () => {
    const few = await load({ train: 24, test: 24 })
    expect(pixelsOf(data.train).subarray(0, pixelsOf(few.train).length)).toEqual(pixelsOf(few.train))
    expect(pixelsOf(few.test as ImageSet)).not.toEqual(pixelsOf(few.train))
  })

  it('has as many images of each class, give or take one', () => {
    const counts = signClasses.map((_, label) => data.train.labels.filter((found) => found === label).length)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  })

  it('gives no color scheme and no outline to one class alone, and pairs that only the pictogram tells apart', () => {
    for (const { name, scheme, shape } of signClasses) {
      const others = signClasses.filter((other) => other.name !== name)
      expect(others.some((other) => other.scheme === scheme && other.shape !== shape)).toBe(true)
      expect(others.some((other) => other.scheme === scheme && other.shape === shape)).toBe(true)
    }
  })

  it('draws every class with a rim, a face and a pictogram of its own', () => {
    for (const [i, plate] of plates.entries()) {
      expect(new Set(plate)).toEqual(new Set(Object.values(layer)))
      for (const other of plates.slice(i + 1)) {
        const differing = plate.reduce((sum, shown, at) => sum + Number(shown !== other[at]), 0)
        expect(differing / plate.length).toBeGreaterThan(0.02)
      }
    }
  })

  // a twelfth is chance
  it('is not told by its mean color', () => {
    const mean: Features = (set, i) =>
      [0, 1, 2].map((channel) => {
        const plane = pixelsOf(set, [i]).subarray(channel * 1024, (channel + 1) * 1024)
        return plane.reduce((sum, value) => sum + value, 0) / 1024
      })
    expect(nearestMean(data, mean)).toBeLessThan(0.25)
  })

  it('is not told by its background', () => {
    const corners = [0, 1, 2].flatMap((channel) =>
      [1, 30].flatMap((x) => [1, 30].map((y) => ({ channel, x, y }) as const)),
    )
    expect(nearestMean(data, (set, i) => corners.map((at) => pixel(set, i, at)))).toBeLessThan(0.14)
  })

  it('is not told by templates of its pixels', () => {
    const every = [0, 1, 2].flatMap((channel) =>
      Array.from({ length: 256 }, (_, at) => ({ channel, x: 2 * (at % 16), y: 2 * Math.floor(at / 16) })),
    )
    expect(nearestMean(data, (set, i) => every.map((at) => pixel(set, i, at)))).toBeLessThan(0.5)
  })

  it('leaves the corners to the background, where triggers go', () => {
    // the same scenes with signs of each outline: what differs is the sign
    const drawn = [0, 2, 6, 8].map((label) => ({ label, pixels: new Uint8Array(3072) }))
    const corners = [0, 1, 2, 29, 30, 31].flatMap((x) => [0, 1, 2, 29, 30, 31].map((y) => y * 32 + x))
    let touched = 0
    for (let index = 0; index < 200; index++) {
      for (const { label, pixels } of drawn) drawSign(label, { seed: 5, split: 0, index }, pixels)
      const spread = corners.map((at) => {
        const values = drawn.map(({ pixels }) => pixels[at] as number)
        return Math.max(...values) - Math.min(...values)
      })
      if (Math.max(...spread) > 8) touched++
    }
    expect(touched / 200).toBeLessThan(0.02)
  })
})
