import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  classify,
  detect,
  type ExperimentResult,
  evaluate,
  type GivenSettings,
  type GivenTraining,
  poisonData,
  preview,
  run,
  type TrainingResult,
  train,
} from '../src/index.ts'

// What a program may say, and what its compiler refuses: `tsc` checks this file, and a line that should not compile but does is
// an error there. Nothing below is called.

const _compiled = () => [
  run({ attack: 'badnets', 'attack.size': 6, defense: 'cbd', 'defense.bottleneck': 0.1, epochs: 20, seed: 3 }),
  run({ dataset: 'cifar10', data: 'data', 'class-rate': 0.8, schedule: 'steps' }, { runs: 'elsewhere' }),
  train('photos', { defense: 'deconfound', 'dataset.size': 64, holdout: 0 }, { runs: 'runs' }),
  train('photos'),
  train({ data: 'photos', epochs: 30 }, { runs: 'runs' }),
  evaluate('runs/x'),
  evaluate('runs/x', { attack: 'blend', 'attack.opacity': 0.1 }, { trigger: 'runs/y' }),
  detect('runs/x', { detector: 'strip', 'detector.superpositions': 20, threads: 2 }),
  poisonData({ data: 'photos', attack: 'blend' }, { out: 'poisoned' }),
  preview({ attack: 'blend' }, { out: 'preview.png' }),
  classify('runs/x', ['photos'], { top: 3 }),
]

const _refused = () => [
  // @ts-expect-error an attack that there is not
  run({ attack: 'badnetz' }),
  // @ts-expect-error a setting that there is not
  run({ atack: 'badnets' }),
  // @ts-expect-error a setting of another type
  run({ epochs: '20' }),
  // @ts-expect-error options belong to kinds of entries
  run({ 'attak.size': 6 }),
  // @ts-expect-error a misspelt setting
  train('photos', { defence: 'cbd' }),
  // @ts-expect-error a defense that there is not
  train('photos', { defense: 'cdb' }),
  // @ts-expect-error training on one's own images poisons nothing
  train('photos', { attack: 'badnets' }),
  // @ts-expect-error nor has it options of attacks
  train('photos', { 'attack.size': 6 }),
  // @ts-expect-error a folder there must be
  train({ epochs: 30 }),
  // @ts-expect-error a misspelt setting beside the folder
  train({ data: 'photos', epoch: 30 }),
  // @ts-expect-error as in run
  evaluate('runs/x', { attack: 'badnetz' }),
  // @ts-expect-error a detector there must be
  detect('runs/x', { batch: 3 }),
  // @ts-expect-error a detector that there is not
  detect('runs/x', { detector: 'stripe' }),
  // @ts-expect-error as in run
  poisonData({ attack: 'badnetz' }, { out: 'poisoned' }),
  // @ts-expect-error as in run
  preview({ atack: 'blend' }, { out: 'preview.png' }),
]

describe('the types of the library', () => {
  it('know the catalogues and the settings', () => {
    expect([_compiled, _refused].every((each) => typeof each === 'function')).toBe(true)
    expectTypeOf<NonNullable<GivenSettings['attack']>>().extract<'badnets'>().toEqualTypeOf<'badnets'>()
    expectTypeOf<GivenTraining>().not.toHaveProperty('attack')
    expectTypeOf(run).returns.resolves.toEqualTypeOf<ExperimentResult>()
    expectTypeOf<ReturnType<typeof train>>().resolves.toEqualTypeOf<TrainingResult>()
  })
})

describe('a program without a compiler', () => {
  const untyped = train as (...given: unknown[]) => Promise<unknown>

  it.each([[{}], [{ epochs: 30 }], [''], [{ data: 3 }]])('is told that training needs a folder: %j', async (given) => {
    await expect(untyped(given)).rejects.toMatchObject({ code: 2, message: expect.stringContaining('give data') })
  })

  it('is told of every mistake by a rejection', async () => {
    const loose = (given: object) => run(given as GivenSettings)
    await expect(loose({ attack: 'badnetz' })).rejects.toMatchObject({ code: 2 })
    await expect(loose({ atack: 'badnets' })).rejects.toThrow("did you mean 'attack'")
    await expect(untyped('photos', { defence: 'cbd' })).rejects.toThrow("did you mean 'defense'")
    await expect(evaluate('nowhere')).rejects.toMatchObject({ code: 2 })
    await expect(classify('nowhere', [])).rejects.toMatchObject({ code: 2 })
  })
})
