import { expect, it } from 'vitest'
import { whiten } from '../../src/detectors/activation-clustering.ts'
import { signatures } from '../../src/detectors/spectral-signatures.ts'
import { silhouette, twoMeans } from '../../src/detectors/two-means.ts'
import { Random } from '../../src/tensor/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { expectTensor, type Formula, formula, type Recorded, readGolden } from './golden.ts'

const golden = readGolden<{
  signatures: { points: Formula[]; values: Recorded }
  whitened: { points: Formula[]; components: number; products: Recorded }
  twoMeans: { points: Formula[]; cluster: number[]; inertia: number; silhouette: number }
}>('detectors.json')

const pointsOf = (parts: readonly Formula[]) =>
  Float64Array.from(parts.flatMap((part) => scope(() => formula(part).numbers())))
const countOf = (parts: readonly Formula[]) => parts.reduce((sum, { shape }) => sum + (shape[0] as number), 0)

it('spectral signatures are numpy’s squared projections on the first right singular vector', () => {
  const { points, values } = golden.signatures
  scope(() => {
    const count = countOf(points)
    expectTensor(tensor(signatures(pointsOf(points), count), [count]), values, 1e-8)
  })
})

it('whitened principal components have numpy’s inner products', () => {
  const { points, components, products } = golden.whitened
  scope(() => {
    const count = countOf(points)
    const whitened = whiten(pointsOf(points), count, components)
    expect(whitened.width).toBe(components)
    const rows = tensor(whitened.points, [count, components])
    expectTensor(rows.matmul(rows.transpose(0, 1)), products, 1e-8)
  })
})

it('2-means finds the best division there is, and its silhouette is numpy’s', () => {
  const { points, cluster, inertia, silhouette: distinct } = golden.twoMeans
  const values = pointsOf(points)
  const found = twoMeans(values, 3, { random: new Random(1) })
  const swapped = found.cluster[0] === 1
  expect(Array.from(found.cluster, (own) => (swapped ? 1 - own : own))).toEqual(cluster)
  expect(found.inertia).toBeCloseTo(inertia, 8)
  expect(silhouette(values, 3, found.cluster)).toBeCloseTo(distinct, 8)
})
