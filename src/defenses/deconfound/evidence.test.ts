import { describe, expect, it } from 'vitest'
import { combineEvidence, type Evidence } from './evidence.ts'
import { knockoffThreshold } from './knockoffs.ts'

const evidence = (statistics: number[], toCount = 1, toFlag = 1): Evidence => ({
  statistics: Float32Array.from(statistics),
  asymmetry: { toCount, toFlag },
})
const flagged = (...kinds: Evidence[]) => {
  const { score, threshold } = combineEvidence(kinds, { q: 0.5 })
  return Array.from(score.keys()).filter((i) => (score[i] as number) > threshold)
}

describe('combining evidence', () => {
  it('flags none where no kind has a threshold, and ranks by the first', () => {
    const kinds = [evidence([1, -1, 2, -2]), evidence([-3, 3, -1, 1])]
    expect(flagged(...kinds)).toEqual([])
    expect(Array.from(combineEvidence(kinds, { q: 0.5 }).score)).toEqual([1, -1, 2, -2])
  })

  it('flags what any kind flags, the image at the threshold included', () => {
    const flat = evidence([0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.1, -0.1])
    const first = evidence([0.7, 0.9, 0, 0, 0, 0, 0, 0])
    const last = evidence([0, 0, 0, 0, 0, 0, 31, 33])
    expect(flagged(flat, first)).toEqual([0, 1])
    expect(flagged(flat, first, last)).toEqual([0, 1, 6, 7])
    expect(flagged(first, flat, last)).toEqual([0, 1, 6, 7])
  })

  it('asks more of a kind to count than to flag an image', () => {
    const biased = [8, 7, 6, 5, 4, -3.9, -3.8, 0.1, -0.1, -0.1, -0.1, -0.1]
    expect(flagged(evidence(biased, 1.5, 1))).toEqual([0, 1, 2, 3, 4])
    expect(flagged(evidence(biased, 2.5, 1))).toEqual([])
  })

  it('does not count a few images far out where many are biased', () => {
    const repeated = (w: number, count: number) => Array.from({ length: count }, () => w)
    const count = (far: number, toCount: number) =>
      flagged(evidence([...repeated(9, far), ...repeated(1.1, 40), ...repeated(-1, 30), ...repeated(0, 50)], toCount))
        .length
    expect(count(10, 1)).toBe(50)
    expect(count(10, 1.5)).toBe(0)
    expect(count(20, 1.5)).toBe(60)
  })

  it('raises the threshold to where images are rare, and keeps at least half of the flagged ones', () => {
    const clean = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? -i : i) / 400)
    const far = Array.from({ length: 100 }, (_, i) => 5 + i / 100)
    const close = Array.from({ length: 100 }, (_, i) => 0.9 + i / 50)
    const found = (poison: number[]) => {
      const { score, threshold } = combineEvidence([evidence([...clean, ...poison])], { q: 0.1 })
      const flagged = Array.from(score.keys()).filter((i) => (score[i] as number) > threshold)
      return [flagged.filter((i) => i < 400).length, flagged.filter((i) => i >= 400).length]
    }
    expect(knockoffThreshold(Float32Array.from([...clean, ...far]), { q: 0.1 })).toBeLessThan(0.96)
    expect(found(far)).toEqual([0, 100])
    expect(found(close)[1]).toBeGreaterThan(80)
    expect(found(far.map((each) => each / 5.1))[1]).toBe(100)
  })

  it('says when it is weak', () => {
    const verdict = (...kinds: Evidence[]) => combineEvidence(kinds, { q: 0.5 }).verdict
    const biased = evidence([8, 7, 6, 5, 4, -3.9, -3.8, -3.7, 0.1], 1.5, 1)
    const clear = evidence([8, 8, 8, 8, 8, -1, -1, -1, 0.1], 1.5, 1)
    expect(verdict(biased)).toBe('weak')
    expect(verdict(clear)).toBe('found')
    expect(verdict(biased, clear)).toBe('found')
  })

  it('leaves out what most images share, and says so', () => {
    const shared = evidence([5, 5, 5, 5, 5, 5, 5, 0, 0, 0])
    expect(flagged(shared)).toEqual([])
    const remarks = [expect.stringContaining('70 %')]
    expect(combineEvidence([shared], { q: 0.5 })).toMatchObject({ verdict: 'not-judged', remarks })
    expect(combineEvidence([shared, evidence([1, -1])], { q: 0.5 })).toMatchObject({ verdict: 'none', remarks })
    expect(flagged(evidence([5, 5, 5, 5, 5, 5, 0, 0, 0, 0]))).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('flags none of none', () => {
    expect(flagged(evidence([]))).toEqual([])
  })
})
