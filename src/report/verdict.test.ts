import { describe, expect, it } from 'vitest'
import { verdicts } from '../training/suspicion.ts'
import { fewestFound, saidOf } from './verdict.ts'

describe('what a person is told of a verdict', () => {
  it.each(verdicts)('is one sentence without evidence for a noun: %s', (verdict) => {
    for (const images of [undefined, 20, 1623, 50_000]) {
      expect(saidOf(verdict, images)).toMatch(/^[a-z].*[a-z]$/)
      expect(saidOf(verdict, images)).not.toMatch(/evidence|undefined|NaN/)
    }
  })

  it('says of none what could have been found, and that few images are too few', () => {
    expect(saidOf('none', 20)).toBe(
      'no poison found, and 20 images are too few to tell: fewer than about 10 poisoned images cannot be found',
    )
    expect(saidOf('none', 1623)).toBe(
      'no poison found; among 1,623 images, fewer than about 20 poisoned images cannot be found, and faint triggers need more',
    )
  })

  it('puts that limit below the fewest that were ever found', () => {
    const found = [
      [250, 25],
      [1600, 49],
      [5000, 50],
      [45_000, 135],
    ] as const
    for (const [images, poisoned] of found) expect(fewestFound(images)).toBeLessThan(poisoned)
    expect(fewestFound(4)).toBe(10)
  })

  it('does not call every small folder’s evidence weak without saying that this is usual there', () => {
    expect(saidOf('weak', 1623)).toContain('as is usual with so few images')
    expect(saidOf('weak', 50_000)).not.toContain('usual')
  })
})
