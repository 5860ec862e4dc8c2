import { describe, expect, it } from 'vitest'
import { looksAfter, meanOfLowest } from './confounder.ts'

describe('what several looks say of an image', () => {
  const losses = (...seen: number[][]) =>
    meanOfLowest(
      seen.map((each) => Float32Array.from(each)),
      1 / 3,
    )

  it('is the geometric mean of the lowest third', () => {
    const [one, two] = losses([4, 9], [1, 9], [2, 1], [8, 4], [8, 9])
    expect(one).toBeCloseTo(Math.sqrt(1 * 2), 6)
    expect(two).toBeCloseTo(Math.sqrt(1 * 4), 6)
  })

  it('is the loss itself at a single look', () => {
    expect(losses([0.5, 2])).toEqual(Float32Array.of(0.5, 2))
  })

  it('takes a loss of 0', () => {
    expect(losses([0], [1], [1])[0]).toBeCloseTo(1e-6, 9)
  })
})

describe('the looks that are due', () => {
  /** The looks of a training, batch by batch. */
  const looks = (batches: number, epochs: number, trained = 0) =>
    Array.from({ length: batches * epochs }, (_, step) =>
      looksAfter({ step, steps: batches * epochs }, { trained, epochs }),
    )

  it('are one every half epoch, from the end of the first epoch on', () => {
    expect(looks(4, 3)).toEqual([[], [], [], [0], [], [1], [], [2], [], [3], [], [4]])
    expect(looks(3, 2)).toEqual([[], [], [0], [], [1], [2]])
  })

  it('go on where an earlier training has ended', () => {
    expect(looks(2, 2, 3)).toEqual([[5], [6], [7], [8]])
  })

  it.each([1, 2, 3, 7, 391])('are all taken, each once, of epochs of %i batches', (batches) => {
    for (const epochs of [1, 3, 5]) {
      const all = Array.from({ length: 2 * epochs - 1 }, (_, look) => look)
      expect(looks(batches, epochs).flat()).toEqual(all)
    }
  })
})
