import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { type Listener, silent } from '../src/experiment/prepare/listener.ts'
import { runExperiment } from '../src/experiment/run.ts'
import { flattenConfig, parseConfigFile, resolveConfig } from '../src/experiment/settings/config.ts'
import { createRun, openRun, type RunFolder, readMetrics } from '../src/experiment/store/run-folder.ts'
import type { ExperimentResult } from '../src/experiment/store/schema.ts'
import { liveTensors } from '../src/tensor/tensor.ts'
import { device } from './device.ts'

// A whole experiment, from drawing the data to the result, in a directory of its own.

const runs = mkdtempSync(join(tmpdir(), 'end-to-end-'))
liveTensors() // loads the addon, which lies in the cache that the next line hides
vi.stubEnv('XDG_CACHE_HOME', join(runs, 'cache'))
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(runs, { recursive: true })
})

const config = resolveConfig({
  dataset: 'signs',
  'dataset.train': 300,
  'dataset.test': 60,
  attack: 'badnets',
  defense: 'cbd',
  epochs: 2,
  batch: 64,
  'defense.confounder-epochs': 1,
  'model.depth': 10,
  device,
  threads: 1,
})

async function experiment(folder: RunFolder, listener: Partial<Listener> = {}): Promise<ExperimentResult> {
  try {
    return await runExperiment(folder, { ...silent, ...listener })
  } finally {
    folder.close()
  }
}

/** What a run's circumstances and clock do not change. */
function comparable({
  run,
  files,
  seconds,
  trainingSeconds,
  resumed,
  environment,
  ...result
}: ExperimentResult): object {
  return result
}

describe('an experiment', () => {
  let straight: Promise<ExperimentResult> | undefined
  const run = () => {
    straight ??= experiment(createRun(runs, 'experiment', config))
    return straight
  }

  it('leaves a record that says all, and no tensors', async () => {
    const before = liveTensors()
    const result = await run()
    expect(liveTensors()).toBe(before)
    expect(result).toMatchObject({
      dataset: 'signs',
      attack: 'badnets',
      defense: 'cbd',
      preset: 'paper',
      seed: 1,
      epochs: 2,
    })
    expect(result).toMatchObject({ poisonedImages: 30, cleanImages: 60, triggeredImages: 55, resumed: false })
    expect(result.modelHash).toMatch(/^[0-9a-f]{64}$/)
    expect(JSON.parse(readFileSync(join(result.run, 'result.json'), 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(result)),
    )
    const truth = JSON.parse(readFileSync(join(result.run, 'truth.json'), 'utf8'))
    expect(truth.poisoned.length).toBe(30)
    const stages = readMetrics(join(result.run, 'metrics.jsonl')).map(({ stage, trace, epoch }) => [
      stage ?? trace,
      epoch,
    ])
    expect(stages).toEqual(
      expect.arrayContaining([
        ['confounder', 0],
        ['model', 0],
        ['model', 1],
        ['weight', 1],
      ]),
    )
  })

  it('gives the same model again, from nothing but its recorded configuration', async () => {
    const first = await run()
    const file = join(first.run, 'config.yaml')
    const again = resolveConfig(parseConfigFile(readFileSync(file, 'utf8'), file))
    expect(again).toEqual(config)
    const second = await experiment(createRun(runs, 'experiment', again))
    expect(second.modelHash).toBe(first.modelHash)
    expect(comparable(second)).toEqual(comparable(first))
  })

  it.each([
    ['in the confounder’s epoch', 2],
    ['in the model’s last epoch', 13],
  ])('gives the same model when it is stopped %s and resumed', async (_, stopAfter) => {
    const folder = createRun(runs, 'experiment', config)
    let batches = 0
    const interrupted = () => batches >= stopAfter
    const stopped = experiment(folder, { progress: () => void batches++, interrupted })
    await expect(stopped).rejects.toMatchObject({ code: 75 })
    expect(batches).toBe(stopAfter)
    const resumed = await experiment(openRun(folder.path))
    const first = await run()
    expect(resumed.resumed).toBe(true)
    expect(resumed.modelHash).toBe(first.modelHash)
    expect(comparable(resumed)).toEqual(comparable(first))
    const numbers = (path: string) => readMetrics(join(path, 'metrics.jsonl')).map(({ seconds, ...rest }) => rest)
    expect(numbers(resumed.run)).toEqual(numbers(first.run))
  })

  it('records what a repair began with: the model of plain training on the same images', async () => {
    const plain = { ...flattenConfig(config), preset: 'default', 'clean-share': 0.1, epochs: 1 }
    const of = (settings: Record<string, unknown>) => {
      const kept = Object.entries(settings).filter(([name]) => !name.startsWith('defense.'))
      return experiment(createRun(runs, 'experiment', resolveConfig(Object.fromEntries(kept))))
    }
    const none = await of({ ...plain, defense: 'none' })
    const { backdoored } = await of({ ...plain, defense: 'nad', preset: 'quick' })
    const { cleanAccuracy, attackSuccessRate, collapsed } = none
    expect(backdoored).toEqual({ cleanAccuracy, attackSuccessRate, collapsed, seconds: expect.any(Number) })
    expect(none.backdoored).toBeNull()
  })

  it('says by how much the ASR exceeds that of the model that plain training gives on clean data', async () => {
    const settings = { ...flattenConfig(config), epochs: 1, rate: 0.5, reference: true }
    const clean = { ...settings, preset: 'default', defense: 'none', rate: 0 }
    const kept = Object.fromEntries(Object.entries(clean).filter(([name]) => !name.startsWith('defense.')))
    const { reference, excessSuccessRate, ...cbd } = await experiment(
      createRun(runs, 'experiment', resolveConfig(settings)),
    )
    const none = await experiment(createRun(runs, 'experiment', resolveConfig(kept)))
    expect(reference?.cleanAccuracy).toBe(none.cleanAccuracy)
    expect(reference?.attackSuccessRate).toBe(none.attackSuccessRate)
    expect(excessSuccessRate).toBe((cbd.attackSuccessRate as number) - (none.attackSuccessRate as number))
    expect(none.excessSuccessRate).toBe(0)
  })
})
