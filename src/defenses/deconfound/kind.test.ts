import { describe, expect, it } from 'vitest'
import type { Verdict } from '../../training/suspicion.ts'
import { combineLooks, type Look } from './kind.ts'

const look = (verdict: Verdict, threshold: number, score: number[], ...remarks: string[]): Look => ({
  verdict,
  threshold,
  score: Float32Array.from(score),
  remarks,
})
const flagged = (looks: readonly Look[]) => {
  const { score, threshold } = combineLooks(looks)
  return Array.from(score.keys()).filter((i) => (score[i] as number) > threshold)
}

describe('kinds of evidence side by side', () => {
  it('flag what one of them flags, whatever the scale of their scores', () => {
    const one = look('found', 10, [11, 10, 2, 0])
    const other = look('weak', 0.125, [0, 0, 0.125, 0.25])
    expect(flagged([one])).toEqual([0])
    expect(flagged([one, other])).toEqual([0, 3])
    expect(combineLooks([one, other]).verdict).toBe('found')
    expect(combineLooks([other, other]).verdict).toBe('weak')
  })

  it('keep an image on its side of the threshold where the quotient is rounded', () => {
    const threshold = Math.fround(1 - 2 ** -24)
    expect(flagged([look('found', threshold, [1, threshold]), look('found', 3, [0, 0])])).toEqual([0])
  })

  it('leave what found nothing out of the scores', () => {
    expect(flagged([look('none', 5, [5, 1]), look('weak', 1, [0, 2]), look('not-judged', 0, [9, 9])])).toEqual([1])
  })

  it('find nothing where none does: the verdict and the ranking are those of the first that could judge', () => {
    const unable = look('not-judged', 9, [9, 9], 'a')
    const able = look('none', 2, [1, 2], 'b')
    expect(combineLooks([unable, able])).toEqual({ ...able, remarks: ['a', 'b'] })
    expect(combineLooks([unable, unable]).verdict).toBe('not-judged')
  })
})
