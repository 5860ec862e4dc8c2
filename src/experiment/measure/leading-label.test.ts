import { describe, expect, it } from 'vitest'
import { leadingLabel } from './leading-label.ts'

/** Images 0 … n − 1, the first the most suspicious. */
const ranked = (labels: number[]) => {
  const score = Float32Array.from(labels, (_, i) => -i)
  return leadingLabel({ score, threshold: 0, verdict: 'none' }, Int32Array.from(labels))
}
const mixed = (count: number, classes = 6) => Array.from({ length: count }, (_, i) => i % classes)

describe('the label that leads a ranking', () => {
  it('is the one that most of the top hundredth carry', () => {
    expect(ranked([...Array(12).fill(3), ...mixed(1600)])).toMatchObject({ label: 3, top: 16, count: 13 })
    expect(ranked([...Array(30).fill(2), ...mixed(4970)])).toMatchObject({ label: 2, top: 50 })
  })

  it('is none where the labels are mixed, or common throughout', () => {
    expect(ranked(mixed(1600))).toBeNull()
    expect(ranked(mixed(40, 2))).toBeNull()
    expect(ranked([...Array(16).fill(1), ...Array(40).fill(1), ...mixed(40)])).toBeNull()
    expect(ranked([])).toBeNull()
    expect(ranked([1, 0])).toBeNull()
  })

  it('is none where the scores are equal, and so the order is that of the folders', () => {
    const labels = Int32Array.from({ length: 600 }, (_, i) => Math.floor(i / 100))
    expect(leadingLabel({ score: new Float32Array(600), threshold: 0, verdict: 'none' }, labels)).toBeNull()
  })
})
