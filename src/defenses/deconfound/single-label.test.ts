import { describe, expect, it } from 'vitest'
import { Random } from '../../tensor/random.ts'
import { combineEvidence } from './evidence.ts'
import { medianPositiveShare, thresholdsByLabel } from './single-label.ts'

const classes = 10
const perClass = 500

/** Noise about 0 for every image; the first `poisoned` images of label 3 are moved by two standard deviations. */
function faint(poisoned: number, shift = 0) {
  const random = new Random(5)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform())
  const labels = Int32Array.from({ length: classes * perClass }, (_, i) => Math.floor(i / perClass))
  const isPoisoned = (i: number) => i >= 3 * perClass && i < 3 * perClass + poisoned
  const statistics = Float32Array.from(labels, (_, i) => normal() + shift + (isPoisoned(i) ? 2 : 0))
  return { statistics, labels, isPoisoned }
}

describe('evidence under one label', () => {
  it('is found where all images together show nothing, with about the false discoveries that q allows', () => {
    const { statistics, labels, isPoisoned } = faint(250)
    expect([...thresholdsByLabel(statistics, labels).keys()]).toEqual([3])
    const evidence = { statistics, asymmetry: { toCount: 1.5, toFlag: 1 } }
    expect(combineEvidence([evidence], { q: 0.1 }).threshold).toBeGreaterThan(1) // none
    const { score, threshold, verdict } = combineEvidence([{ ...evidence, labels }], { q: 0.1 })
    const flagged = [...score.keys()].filter((i) => (score[i] as number) > threshold)
    expect(flagged.every((i) => labels[i] === 3)).toBe(true)
    expect(flagged.filter(isPoisoned).length).toBeGreaterThan(200)
    expect(flagged.filter((i) => !isPoisoned(i)).length / flagged.length).toBeLessThan(0.3)
    expect(verdict).toBe('weak')
  })

  it('is not searched where a kind counts over all images', () => {
    const { statistics, labels } = faint(250)
    const clear = statistics.map((w, i) => (i < 100 ? 20 : w))
    const evidence = [
      { statistics, asymmetry: { toCount: 1.5, toFlag: 1 }, labels },
      { statistics: clear, asymmetry: { toCount: 2, toFlag: 2 } },
    ]
    const { score, threshold, verdict } = combineEvidence(evidence, { q: 0.1 })
    const flagged = [...score.keys()].filter((i) => (score[i] as number) > threshold)
    expect(flagged).toEqual([...Array(100).keys()])
    expect(verdict).toBe('found')
  })

  it('is none where no label is biased, all are, or too few images show it', () => {
    const none = ({ statistics, labels }: ReturnType<typeof faint>) => thresholdsByLabel(statistics, labels).size
    expect(none(faint(0))).toBe(0)
    expect(none(faint(0, 1))).toBe(0)
    expect(none(faint(40))).toBe(0)
    expect(medianPositiveShare(faint(0, 1).statistics, faint(0).labels)).toBeCloseTo(0.84, 1)
    expect(thresholdsByLabel(Float32Array.of(1, 2, 3, -1, 1, -1), Int32Array.of(0, 0, 0, 1, 1, 2)).size).toBe(0)
    expect(medianPositiveShare(new Float32Array(), new Int32Array())).toBe(0.5)
  })
})
