import { describe, expect, it } from 'vitest'
import { Random } from '../../tensor/random.ts'
import { arena, scope } from '../../tensor/scope.ts'
import { liveTensors, tensor } from '../../tensor/tensor.ts'
import { labelAround, nearestNeighbors, trustworthiness } from './neighbors.ts'
import { principalComponents } from './principal.ts'
import { affinities, gradient, tsne } from './tsne.ts'

/** A sample of a normal distribution, by Box and Muller. */
const normal = (random: Random) =>
  Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform())

/** Three clouds in ten dimensions, far from one another and from 0. */
function clouds(each: number, seed = 1) {
  const random = new Random(seed)
  const labels = Array.from({ length: 3 * each }, (_, i) => i % 3)
  const values = labels.flatMap((label) =>
    Array.from({ length: 10 }, (_, d) => 100 + (d === label ? 8 : 0) + normal(random)),
  )
  return { points: tensor(Float32Array.from(values), [labels.length, 10]), labels }
}

describe('principal components', () => {
  it('are the directions of the largest variance, by a calculation by hand', () =>
    scope(() => {
      // (±2, ±2, 0) and (0, 0, ±1): the first direction is (1, 1, 0)/√2, the second (0, 0, 1)
      const found = principalComponents(tensor(Float32Array.of(2, 2, 0, -2, -2, 0, 0, 0, 1, 0, 0, -1), [4, 3]))
      const expected = [2 * Math.SQRT2, 0, -2 * Math.SQRT2, 0, 0, 1, 0, -1]
      for (const [i, value] of found.numbers().entries()) expect(value).toBeCloseTo(expected[i] as number, 5)
    }))

  it('of one dimension have a second of 0', () =>
    scope(() => {
      const found = principalComponents(tensor(Float32Array.of(1, 3, 5), [3, 1])).numbers()
      expect(found.map((each) => each + 0)).toEqual([-2, 0, 0, 0, 2, 0]) // −0 is 0 here
    }))
})

describe('t-SNE', () => {
  it('gives each point as many neighbors as the perplexity says', () =>
    scope(() => {
      const { points } = clouds(20)
      const p = affinities(points, 7)
      const rows = Array.from({ length: 60 }, (_, i) => p.numbers().slice(60 * i, 60 * i + 60))
      expect(rows.flat().reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 4)
      for (const [i, row] of rows.entries()) {
        for (const [j, each] of row.entries()) expect(each).toBeCloseTo(rows[j]?.[i] as number, 8)
        // symmetrized rows no longer have the perplexity exactly
        const share = row.reduce((sum, each) => sum + each, 0)
        const entropy = row.reduce((sum, each) => sum - (each / share) * Math.log(each / share), 0)
        expect(Math.exp(entropy)).toBeGreaterThan(3.5)
        expect(Math.exp(entropy)).toBeLessThan(21)
      }
    }))

  it('goes down the slope of its divergence, by finite differences', () =>
    scope(() => {
      const random = new Random(3)
      const count = 9
      const p = affinities(clouds(3).points, 2)
      const places = Float64Array.from({ length: 2 * count }, () => 3 * normal(random))
      const affinity = p.numbers()
      const divergence = (at: Float64Array) => {
        const closeness = Array.from({ length: count ** 2 }, (_, k) => {
          const [i, j] = [Math.floor(k / count), k % count]
          const squared = [0, 1].reduce((sum, d) => sum + ((at[2 * i + d] ?? 0) - (at[2 * j + d] ?? 0)) ** 2, 0)
          return i === j ? 0 : 1 / (1 + squared)
        })
        const all = closeness.reduce((sum, each) => sum + each, 0)
        // − Σ p ln q: the rest of the divergence does not depend on places
        return affinity.reduce((sum, each, k) => (closeness[k] ? sum - each * Math.log(closeness[k] / all) : sum), 0)
      }
      const slope = gradient(tensor(Float32Array.from(places), [count, 2]), p, 1).numbers()
      for (let k = 0; k < 2 * count; k++) {
        const [above, below] = [places.slice(), places.slice()]
        above[k] = (above[k] as number) + 1e-5
        below[k] = (below[k] as number) - 1e-5
        expect(slope[k]).toBeCloseTo((divergence(above) - divergence(below)) / 2e-5, 4)
      }
    }))

  it('draws clouds apart, the same ones the same way, and leaves no tensors behind', () =>
    arena(async () => {
      const { points, labels } = clouds(40)
      const before = liveTensors()
      const places = await tsne(points, { perplexity: 15, iterations: 400 })
      expect(liveTensors()).toBe(before + 1)
      for (const [i, neighbors] of nearestNeighbors(places, 5).entries()) {
        expect(labelAround(neighbors, labels)).toBe(labels[i])
      }
      expect(trustworthiness(points, places, 5)).toBeGreaterThan(0.8)
      const again = await tsne(points, { perplexity: 15, iterations: 400 })
      expect(again.numbers()).toEqual(places.numbers())
    }))

  it('survives points that are all the same, and refuses too few', () =>
    arena(async () => {
      const places = await tsne(tensor(new Float32Array(60).fill(3), [20, 3]), { iterations: 20 })
      expect(places.numbers().every(Number.isFinite)).toBe(true)
      await expect(tsne(tensor(new Float32Array(6), [3, 2]))).rejects.toThrow('Cannot draw 3 points by t-SNE')
    }))
})

describe('neighbors', () => {
  it('are the nearest first, and never the point itself', () =>
    scope(() => {
      const points = tensor(Float32Array.of(0, 1, 3, 7), [4, 1])
      expect(nearestNeighbors(points, 2).map((each) => [...each])).toEqual([
        [1, 2],
        [0, 2],
        [1, 0],
        [2, 1],
      ])
      expect(nearestNeighbors(points, 9)[0]?.length).toBe(3)
    }))

  it('have the label of the most, of the nearest where two are as many', () => {
    expect(labelAround(Int32Array.of(0, 1, 2), [4, 5, 5])).toBe(5)
    expect(labelAround(Int32Array.of(0, 1), [4, 5])).toBe(4)
  })

  it('are trusted wholly in a drawing that keeps them, and little in one that does not', () =>
    scope(() => {
      const points = tensor(
        Float32Array.from({ length: 30 }, (_, i) => i),
        [30, 1],
      )
      expect(trustworthiness(points, points, 5)).toBe(1)
      const shuffled = points.indexSelect(0, tensor(new Random(1).permutation(30), [30], 'int64'))
      expect(trustworthiness(points, shuffled, 5)).toBeLessThan(0.75)
    }))
})
