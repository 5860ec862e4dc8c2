import { describe, expect, it } from 'vitest'
import { imageSet, measureNormalization, pixelsOf, subset } from './images.ts'

const parts = {
  pixels: Uint8Array.from({ length: 3 * 4 }, (_, i) => i),
  shape: [1, 2, 2] as const,
  labels: Int32Array.of(0, 1, 0),
  classes: ['a', 'b'],
  names: ['x', 'y', 'z'],
}

describe('an image set', () => {
  it('has a hash of shape, classes, labels and pixels, and not of names', () => {
    const { hash } = imageSet(parts)
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    expect(imageSet({ ...parts, names: ['1', '2', '3'] }).hash).toBe(hash)
    const others = [
      imageSet({ ...parts, pixels: parts.pixels.map((value) => value ^ (value === 7 ? 1 : 0)) }),
      imageSet({ ...parts, labels: Int32Array.of(0, 1, 1) }),
      imageSet({ ...parts, classes: ['a', 'c'] }),
      imageSet({ ...parts, shape: [4, 1, 1] }),
    ]
    expect(new Set([hash, ...others.map((other) => other.hash)]).size).toBe(5)
  })

  it('has the same hash when its arrays are views into larger ones', () => {
    const pixels = new Uint8Array(20)
    pixels.set(parts.pixels, 5)
    const labels = new Int32Array(10)
    labels.set(parts.labels, 3)
    const view = imageSet({ ...parts, pixels: pixels.subarray(5, 17), labels: labels.subarray(3, 6) })
    expect(view.hash).toBe(imageSet(parts).hash)
  })

  it('refuses parts that do not fit', () => {
    expect(() => imageSet({ ...parts, names: ['x'] })).toThrow(
      "An image set's parts do not fit: 12 bytes, 3 labels, 1 names",
    )
    expect(() => imageSet({ ...parts, pixels: new Uint8Array(11) })).toThrow('11 bytes, 3 labels')
  })

  it('has a mean and a deviation of each channel, pixels in [0, 1], and no deviation of 0', () => {
    const pixels = Uint8Array.of(0, 255, 51, 51, 0, 255, 51, 51)
    const set = imageSet({ ...parts, pixels, shape: [2, 1, 2], labels: Int32Array.of(0, 1), names: ['x', 'y'] })
    const { mean, deviation } = measureNormalization(set)
    for (const [i, expected] of [0.5, 0.2].entries()) expect(mean[i]).toBeCloseTo(expected, 12)
    for (const [i, expected] of [0.5, 1 / 255].entries()) expect(deviation[i]).toBeCloseTo(expected, 12)
  })

  it('has subsets in the order asked for, repeats included', () => {
    const chosen = subset(imageSet(parts), [2, 0, 2])
    const { labels, names, shape, classes } = chosen
    expect([...pixelsOf(chosen)]).toEqual([8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11])
    expect([[...labels], names, shape, classes]).toEqual([
      [0, 0, 0],
      ['z', 'x', 'z'],
      [1, 2, 2],
      ['a', 'b'],
    ])
    expect(subset(imageSet(parts), []).labels.length).toBe(0)
  })
})
