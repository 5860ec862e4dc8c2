import { describe, expect, it } from 'vitest'
import { type Evidence, weigh } from './evidence.ts'
import { knockoffThreshold } from './knockoffs.ts'

const evidence = (differences: number[], toFind = 1, toName = 1): Evidence => ({
  differences: Float32Array.from(differences),
  slack: { toFind, toName },
})
const named = (...kinds: Evidence[]) => {
  const { score, threshold } = weigh(kinds, { q: 0.5 })
  return Array.from(score.keys()).filter((i) => (score[i] as number) > threshold)
}

describe('weighing evidence', () => {
  it('names none where no kind has a threshold, and ranks by the first', () => {
    const kinds = [evidence([1, -1, 2, -2]), evidence([-3, 3, -1, 1])]
    expect(named(...kinds)).toEqual([])
    expect(Array.from(weigh(kinds, { q: 0.5 }).score)).toEqual([1, -1, 2, -2])
  })

  it('names what any kind names, the image at the threshold included', () => {
    const flat = evidence([0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.1, -0.1])
    const first = evidence([0.7, 0.9, 0, 0, 0, 0, 0, 0])
    const last = evidence([0, 0, 0, 0, 0, 0, 31, 33])
    expect(named(flat, first)).toEqual([0, 1])
    expect(named(flat, first, last)).toEqual([0, 1, 6, 7])
    expect(named(first, flat, last)).toEqual([0, 1, 6, 7])
  })

  it('asks more for there to be evidence than for naming', () => {
    const leaning = [8, 7, 6, 5, 4, -3.9, -3.8, 0.1, -0.1, -0.1, -0.1, -0.1]
    expect(named(evidence(leaning, 1.5, 1))).toEqual([0, 1, 2, 3, 4])
    expect(named(evidence(leaning, 2.5, 1))).toEqual([])
  })

  it('takes no few images far out for evidence against many that lean', () => {
    const repeated = (difference: number, count: number) => Array.from({ length: count }, () => difference)
    const count = (far: number, toFind: number) =>
      named(evidence([...repeated(9, far), ...repeated(1.1, 40), ...repeated(-1, 30), ...repeated(0, 50)], toFind))
        .length
    expect(count(10, 1)).toBe(50)
    expect(count(10, 1.5)).toBe(0)
    expect(count(20, 1.5)).toBe(60)
  })

  it('goes on to where images are rare, but not through those that are named', () => {
    const clean = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? -i : i) / 400)
    const far = Array.from({ length: 100 }, (_, i) => 5 + i / 100)
    const close = Array.from({ length: 100 }, (_, i) => 0.9 + i / 50)
    const found = (poison: number[]) => {
      const { score, threshold } = weigh([evidence([...clean, ...poison])], { q: 0.1 })
      const named = Array.from(score.keys()).filter((i) => (score[i] as number) > threshold)
      return [named.filter((i) => i < 400).length, named.filter((i) => i >= 400).length]
    }
    expect(knockoffThreshold(Float32Array.from([...clean, ...far]), { q: 0.1 })).toBeLessThan(0.96)
    expect(found(far)).toEqual([0, 100])
    expect(found(close)[1]).toBeGreaterThan(80)
    expect(found(far.map((each) => each / 5.1))[1]).toBe(100)
  })

  it('says when it is weak', () => {
    const verdict = (...kinds: Evidence[]) => weigh(kinds, { q: 0.5 }).verdict
    const leaning = evidence([8, 7, 6, 5, 4, -3.9, -3.8, -3.7, 0.1], 1.5, 1)
    const clear = evidence([8, 8, 8, 8, 8, -1, -1, -1, 0.1], 1.5, 1)
    expect(verdict(leaning)).toBe('weak')
    expect(verdict(clear)).toBe('found')
    expect(verdict(leaning, clear)).toBe('found')
  })

  it('takes what most images share for no poison, and says so', () => {
    const shared = evidence([5, 5, 5, 5, 5, 5, 5, 0, 0, 0])
    expect(named(shared)).toEqual([])
    const remarks = [expect.stringContaining('70 %')]
    expect(weigh([shared], { q: 0.5 })).toMatchObject({ verdict: 'not-judged', remarks })
    expect(weigh([shared, evidence([1, -1])], { q: 0.5 })).toMatchObject({ verdict: 'none', remarks })
    expect(named(evidence([5, 5, 5, 5, 5, 5, 0, 0, 0, 0]))).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('names none of none', () => {
    expect(named(evidence([]))).toEqual([])
  })
})
