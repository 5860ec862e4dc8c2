import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import { tensor } from '../../tensor/tensor.ts'
import { neighborAccuracy } from './knn-accuracy.ts'

const labelsOf = (labels: readonly number[]) => tensor(labels, [labels.length], 'int64').to({ device })

describe('the accuracy of neighbors', () => {
  it('leaves the image itself out', () => {
    scope(() => {
      const pairs = tensor([1, 0, 1, 0.1, 0, 1, 0.1, 1], [4, 2]).to({ device })
      const ask = (labels: number[]) => neighborAccuracy(pairs, labelsOf(labels), { classes: 2, neighbors: 1 })
      expect(ask([0, 0, 1, 1])).toBe(1)
      expect(ask([0, 1, 0, 1])).toBe(0)
      expect(ask([0, 0, 0, 1])).toBe(0.5)
    })
  })

  it('is what plain JavaScript counts, over several chunks of rows', () => {
    scope(() => {
      const [count, width, classes, k] = [300, 4, 3, 7]
      const random = new Random(1)
      const rows = Array.from({ length: count }, () => Array.from({ length: width }, () => random.normal()))
      const labels = rows.map(([x = 0, y = 0]) => (x > 0.5 ? 0 : y > 0 ? 1 : 2))
      const length = (a: number[]) => Math.sqrt(a.reduce((sum, x) => sum + x * x, 0))
      const cosine = (a: number[], b: number[]) =>
        a.reduce((sum, x, i) => sum + x * (b[i] as number), 0) / length(a) / length(b)
      const right = rows.filter((row, i) => {
        const nearest = [...rows.keys()]
          .filter((j) => j !== i)
          .sort((a, b) => cosine(row, rows[b] as number[]) - cosine(row, rows[a] as number[]))
        const votes = new Array<number>(classes).fill(0)
        for (const j of nearest.slice(0, k)) votes[labels[j] as number] = (votes[labels[j] as number] as number) + 1
        return votes.indexOf(Math.max(...votes)) === labels[i]
      })
      const embedding = tensor(rows.flat(), [count, width]).to({ device })
      const share = neighborAccuracy(embedding, labelsOf(labels), { classes, neighbors: k })
      expect(Math.abs(share - right.length / count)).toBeLessThanOrEqual(1 / count) // a tie of cosines at most
      expect(share).toBeGreaterThan(0.6)
    })
  })

  it('copes with as few images as there may be', () => {
    scope(() => {
      const ask = (count: number) =>
        neighborAccuracy(new Random(1).normalTensor([count, 3]).to({ device }), labelsOf(new Array(count).fill(1)), {
          classes: 2,
        })
      expect([ask(1), ask(2), ask(5)]).toEqual([0, 1, 1])
    })
  })
})
