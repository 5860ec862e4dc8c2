import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { type Listener, silent } from './prepare/listener.ts'
import { resumeRun } from './resume.ts'
import { flattenConfig, resolveConfig } from './settings/config.ts'
import { openRun } from './store/run-folder.ts'
import { tune, withSetting } from './tune.ts'

const home = mkdtempSync(join(tmpdir(), 'tune-'))
afterAll(() => rmSync(home, { recursive: true }))

const config = resolveConfig({
  dataset: 'signs',
  'dataset.train': 60,
  'dataset.test': 12,
  attack: 'badnets',
  rate: 0.2,
  defense: 'cbd',
  epochs: 1,
  batch: 16,
  'model.depth': 10,
  'model.width': 0.25,
  precision: 'fp32',
  threads: 1,
  device,
})
const search = { subset: 40, folds: 2 }
const searchIn = (folder: string, listener: Listener = silent) =>
  tune(config, search, { runs: join(home, folder), listener })

/** What a search gives that is not broken off. */
let known: ReturnType<typeof searchIn> | undefined
const straight = () => {
  known ??= searchIn('straight')
  return known
}

describe('a search over settings', () => {
  it('scores every setting of the grid by both criteria, fold by fold', async () => {
    const { settings, best, images } = await straight()
    expect(images).toBe(40)
    const tried = settings.map(({ setting }) => `${setting.confounderEpochs} ${setting.bottleneck}`)
    expect(tried).toEqual([3, 5, 8].flatMap((epochs) => [1e-5, 1e-4, 1e-3].map((weight) => `${epochs} ${weight}`)))
    for (const { accuracy, separation, folds } of settings) {
      expect(folds).toHaveLength(2)
      expect((folds[0]?.accuracy as number) + (folds[1]?.accuracy as number)).toBeCloseTo(2 * accuracy, 6)
      for (const share of [accuracy, separation]) expect(share >= 0 && share <= 1).toBe(true)
    }
    expect(settings.map(({ setting }) => setting)).toContainEqual(best.accuracy)
    const highest = Math.max(...settings.map(({ accuracy }) => accuracy))
    expect(settings.find(({ setting }) => setting === best.accuracy)?.accuracy).toBe(highest)
  })

  it('shares a confounder between settings that differ in the rest', async () => {
    const { settings } = await straight()
    const separations = new Map(settings.map(({ setting, separation }) => [setting.confounderEpochs, separation]))
    for (const { setting, separation } of settings) expect(separation).toBe(separations.get(setting.confounderEpochs))
  })

  it('goes on where it was broken off, to the same scores', async () => {
    const expected = await straight()
    let stops = 0
    for (;;) {
      let batches = 0
      const listener = { ...silent, progress: () => void batches++, interrupted: () => batches > 15 }
      try {
        const { settings, best } = await searchIn('broken', listener)
        expect({ settings, best }).toEqual({ settings: expected.settings, best: expected.best })
        break
      } catch (error) {
        expect((error as Error).message).toContain('Stopped on request')
        stops++
      }
    }
    expect(stops).toBeGreaterThan(3)
  })

  it('trains every setting anew, also with a critic that learns in passes of its own', async () => {
    const own = Object.entries(flattenConfig(config)).filter(([name]) => !name.startsWith('defense.'))
    const critical = resolveConfig({ ...Object.fromEntries(own), preset: 'released-adversarial', 'defense.batch': 16 })
    const seen = new Map<string, number>()
    const count = {
      ...silent,
      progress: ({ stage }: { stage: string }) => void seen.set(stage, (seen.get(stage) ?? 0) + 1),
    }
    const { settings } = await tune(critical, search, { runs: join(home, 'critic'), listener: count })
    expect(new Set(settings.map(({ setting }) => JSON.stringify(setting))).size).toBe(9)
    // two folds of nine models of an epoch, each with a pass of its critic
    expect([...seen.keys()].filter((stage) => stage.includes('critic')).length).toBe(18)
  })

  it('says how many images it used, and refuses more folds than images', async () => {
    const few = { ...config, options: { ...config.options, dataset: { ...config.options.dataset, train: 12 } } }
    const asked = { subset: 10_000, folds: 13 }
    await expect(tune(few, asked, { runs: join(home, 'few'), listener: silent })).rejects.toThrow(
      'Cannot cut 12 images into 13 folds: give fewer --folds, or more images',
    )
  })

  it('answers at once when it is finished, and cannot be resumed as a run', async () => {
    const { run, settings } = await straight()
    const trained = { ...silent, progress: () => expect.unreachable() }
    expect((await searchIn('straight', trained)).settings).toEqual(settings)
    const folder = openRun(run)
    await expect(resumeRun(folder, silent)).rejects.toThrow("give the 'tune' command again")
    folder.close()
  })

  it('leaves a configuration that runs with the chosen setting', async () => {
    const { best } = await straight()
    const applied = resolveConfig(withSetting(config, best.separation))
    expect(applied.options.defense).toMatchObject(best.separation)
    expect(applied.epochs).toBe(config.epochs)
  })

  it('refuses a defense that declares no settings to search, before anything is written', async () => {
    const none = resolveConfig({ dataset: 'signs', defense: 'abl' })
    const runs = join(home, 'none')
    await expect(tune(none, search, { runs, listener: silent })).rejects.toThrow(
      "Cannot search settings of defense 'abl': it declares none; give --defense cbd",
    )
    await expect(tune(config, { folds: 1 }, { runs, listener: silent })).rejects.toThrow(/'folds'/)
    expect(readdirSync(home)).not.toContain('none')
  })
})
