import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { scope } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import { centerSimilarity, move } from './d-br.ts'

/** One image of one channel, by rows. */
const moved = (rows: number[][], angle: number, right = 0, down = 0) =>
  scope(() => {
    const [height, width] = [rows.length, (rows[0] as number[]).length]
    const image = tensor(rows.flat(), [1, 1, height, width]).to({ device })
    const values = move(image, Float64Array.of(angle, right, down)).numbers()
    return rows.map((_, y) => values.slice(y * width, (y + 1) * width))
  })

describe('an image turned and moved', () => {
  const image = [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10, 11, 12],
    [13, 14, 15, 16],
  ]

  it('is the same where there is no turn and no move', () => {
    expect(moved(image, 0)).toEqual(image)
  })

  it('is turned counterclockwise', () => {
    expect(moved(image, Math.PI / 2)).toEqual([
      [4, 8, 12, 16],
      [3, 7, 11, 15],
      [2, 6, 10, 14],
      [1, 5, 9, 13],
    ])
  })

  it('is moved right and down, black where it was not', () => {
    expect(moved(image, 0, 0.25, 0.5)).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [0, 1, 2, 3],
      [0, 5, 6, 7],
    ])
  })

  it('is moved after it was turned', () => {
    expect(moved(image, Math.PI / 2, 0.25, 0)).toEqual([
      [0, 4, 8, 12],
      [0, 3, 7, 11],
      [0, 2, 6, 10],
      [0, 1, 5, 9],
    ])
  })

  it('keeps its proportions where it is no square', () => {
    const wide = [
      [1, 2, 3, 4, 5, 6],
      [7, 8, 9, 10, 11, 12],
    ]
    expect(moved(wide, Math.PI / 2)).toEqual([
      [0, 0, 4, 10, 0, 0],
      [0, 0, 3, 9, 0, 0],
    ])
  })
})

describe('the similarity of classes’ centers', () => {
  it('is the mean cosine of all pairs, of a class with itself 0', () => {
    // centers (2, 0), (0, 3), (1, 1): cosines 0, 1/√2, 1/√2, each twice, and three zeros
    const embedding = tensor([1, 1, 0, 3, 3, -1, 1, 1], [4, 2]).to({ device })
    const value = centerSimilarity(embedding, Int32Array.of(4, 7, 4, 2)).item()
    expect(value).toBeCloseTo((4 * Math.SQRT1_2) / 9, 6)
  })

  it('is 0 of one class', () => {
    const embedding = tensor([1, 2, 3, 4], [2, 2]).to({ device })
    expect(centerSimilarity(embedding, Int32Array.of(1, 1)).item()).toBeCloseTo(0, 6)
  })
})
