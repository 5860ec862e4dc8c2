import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { Random } from '../../tensor/random.ts'
import { arena } from '../../tensor/scope.ts'
import { type Tensor, tensor } from '../../tensor/tensor.ts'
import { makeConfounder } from './confounder.ts'
import { composedResidue, residue } from './residue.ts'

const nothing = Math.log(1e-4)

/** One image of one channel, whose pixel at (x, y) is this. */
const drawn = (width: number, height: number, pixel: (x: number, y: number) => number) =>
  tensor(
    Array.from({ length: width * height }, (_, i) => pixel(i % width, Math.floor(i / width))),
    [1, 1, height, width],
  ).to({ device })

/** The channels at the place (x, y): the Laplacian at its four pixels, energies along x, energies along y. */
const at = (residues: Tensor, x: number, y: number) => {
  const [, , height, width] = residues.shape as [number, number, number, number]
  return residues.numbers().filter((_, i) => i % (height * width) === y * width + x)
}

describe('what is left of an image', () => {
  it('is nothing of an even surface', () =>
    arena(async () => {
      const values = at(residue(drawn(16, 16, () => 0.7)), 0, 0)
      expect(values).toHaveLength(12)
      values.slice(0, 4).forEach((value) => void expect(value).toBeCloseTo(0, 5))
      values.slice(4).forEach((value) => void expect(value).toBeCloseTo(nothing, 3))
    }))

  it('is only the first order of even shading', () =>
    arena(async () => {
      const values = at(residue(drawn(16, 16, (x) => x / 10)), 4, 4)
      values.slice(0, 4).forEach((value) => void expect(value).toBeCloseTo(0, 5))
      expect(values[4]).toBeCloseTo(Math.log(0.01 + 1e-4), 4)
      values.slice(5).forEach((value) => void expect(value).toBeCloseTo(nothing, 2))
    }))

  it('has energies (2ᵏ·½)² along the axis of stripes a pixel wide, and its Laplacian where they are', () =>
    arena(async () => {
      const values = at(residue(drawn(16, 16, (x) => (x % 2) / 2)), 4, 4)
      expect(values.slice(0, 4)).toEqual([1, -1, 1, -1])
      values.slice(4, 8).forEach((value, k) => void expect(value).toBeCloseTo(Math.log((2 ** k / 2) ** 2), 3))
      values.slice(8).forEach((value) => void expect(value).toBeCloseTo(nothing, 3))
    }))

  it.each([
    [2, 3, 32, 32],
    [3, 1, 16, 16],
    [2, 3, 5, 7],
    [1, 2, 1, 1],
    [2, 4, 70, 33],
  ])('is the same image by image as by operators, of %i×%i×%i×%i', (...shape) =>
    arena(async () => {
      const images = new Random(1).uniformTensor(shape).to({ device })
      const [found, expected] = [residue(images), composedResidue(images)]
      expect(found.shape).toEqual(expected.shape)
      const [a, b] = [found, expected].map((each) => each.contiguous().numbers()) as [number[], number[]]
      for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i] as number, 3)
    }),
  )

  it('takes images of an odd size', () =>
    arena(async () => {
      expect(residue(drawn(7, 5, (x) => x / 10)).shape).toEqual([1, 12, 3, 4])
    }))
})

describe('the confounder', () => {
  const compute = { device, precision: 'fp32', threads: 1 } as const
  for (const shape of [
    [3, 32, 32],
    [1, 16, 16],
    [3, 5, 7],
    [3, 70, 40],
  ] as const) {
    it(`takes images of ${shape.join('×')}`, () =>
      arena(async () => {
        const random = new Random(1)
        const confounder = makeConfounder(random, { compute, shape, classes: 4 })
        const residues = residue(random.uniformTensor([2, ...shape]).to({ device }))
        expect(confounder.forward(residues, 'train').shape).toEqual([2, 4])
        const one = confounder.forward(residues.narrow(0, 0, 1), 'eval').numbers()
        confounder
          .forward(residues, 'eval')
          .numbers()
          .slice(0, 4)
          .forEach((value, i) => void expect(value).toBeCloseTo(one[i] as number, 4))
      }))
  }
})
