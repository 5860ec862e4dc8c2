import { describe, expect, it } from 'vitest'
import { defenses } from '../defenses/index.ts'
import { fitted, timeLeft, told } from './progress.ts'
import { bytes, duration } from './units.ts'

const shown = {
  task: 'stage 3, confounders-mirrored 12/40',
  left: '2 h 13 min left',
  details: ['loss 1.234', 'accuracy 0.799', '1532 images/s'],
}

describe('the line of progress', () => {
  it.each([20, 30, 40, 60, 80, 120, 200])('fits a terminal of %i columns, and tells the time left', (columns) => {
    for (const share of [0, 0.456, 1]) {
      const line = fitted(shown, share, columns)
      expect(line.length).toBeLessThan(columns <= 20 ? 30 : columns)
      expect(line).toContain(`${Math.round(100 * share)} %, 2 h 13 min left`)
    }
  })

  it('shows a bar and all details where there is room', () => {
    const line = fitted(shown, 0.5, 140)
    expect(line).toContain('[===============---------------]')
    for (const part of [shown.task, ...shown.details]) expect(line).toContain(part)
  })
})

describe('a stage', () => {
  it.each<[string, string, string]>([
    ['judging-moved', 'stage 4 of 8: judging by moved copies', '1 min 40 s left here'],
    ['model', 'stage 8 of 8: training the model', '1 min 40 s left'],
    ['noise', 'noise', '1 min 40 s left here'],
  ])('%s of deconfound is told in plain words', (stage, name, left) => {
    expect(told({ stage, secondsLeft: 100 }, defenses.deconfound.stages)).toEqual({ name, left })
  })

  it('by another name counts as the one whose name it begins with', () => {
    const { name } = told({ stage: 'confounder-from-3', secondsLeft: 1 }, defenses.cbd.stages)
    expect(name).toBe('stage 1 of 2: training the confounder')
    expect(told({ stage: 'model-critic-7', secondsLeft: 1 }, defenses.cbd.stages).name).toContain('stage 2 of 2')
    expect(told({ stage: 'model', secondsLeft: 1 }, defenses.none.stages).name).toBe('training the model')
  })
})

it.each([
  [0, '0 s'],
  [59.6, '1 min 0 s'],
  [200, '3 min 20 s'],
  [7500, '2 h 5 min'],
])('%f seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text))

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1234, '1.2 kB'],
  [5e9, '5.0 GB'],
  [123.4e6, '123 MB'],
])('%d bytes are %s', (count, text) => expect(bytes(count)).toBe(text))

describe('a count', () => {
  it('says the time that is left, at the pace since its first number, and begins anew with another', () => {
    let seconds = 100
    const left = timeLeft(() => 1000 * seconds)
    expect(left(256, 500_000)).toBeUndefined()
    seconds = 160
    expect(left(50_256, 500_000)).toBe('9 min 0 s left')
    expect(left(500_000, 500_000)).toBe('0 s left')
    seconds = 1000
    expect(left(5, 10)).toBeUndefined()
    seconds = 1002
    expect(left(6, 10)).toBe('8 s left')
    expect(left(2, 10)).toBeUndefined()
  })
})
