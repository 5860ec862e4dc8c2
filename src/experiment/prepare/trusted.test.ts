import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeExample } from '../../datasets/cifar-example.ts'
import { knownClasses } from '../../datasets/cifar10.ts'
import { liveTensors } from '../../tensor/tensor.ts'
import { poisonData, train } from '../api.ts'
import { resolveConfig } from '../settings/config.ts'
import { loadDataset, onData } from './data.ts'
import { silent } from './listener.ts'
import { loadTrusted } from './trusted.ts'

// A person's own folder, and a few images that are trusted, for the defenses that need some.

liveTensors() // loads the addon from the real cache
const cache = process.env.XDG_CACHE_HOME
const folder = mkdtempSync(join(tmpdir(), 'trusted-'))
const at = (name: string) => join(folder, name)
const quick = {
  epochs: 1,
  'model.depth': 10,
  threads: 1,
  precision: 'fp32',
  'defense.epochs': 1,
  'dataset.size': 16,
} as const
const run = (settings: object) => train(at('untrusted'), { ...quick, ...settings }, { runs: at('runs') })

beforeAll(async () => {
  process.env.XDG_CACHE_HOME = at('cache')
  const common = { attack: 'badnets', 'dataset.test': 12 } as const
  await poisonData({ ...common, 'dataset.train': 48 }, { out: at('untrusted') })
  await poisonData({ ...common, 'dataset.train': 24, seed: 2, rate: 0 }, { out: at('clean') })
})
afterAll(() => {
  rmSync(folder, { recursive: true })
  if (cache === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = cache
})

it('trains by a defense that needs trusted images, given some', async () => {
  const result = await run({ defense: 'nad', clean: at('clean'), 'defense.teacher-epochs': 1 })
  expect(result.trainingImages).toBeGreaterThan(24)
})

it('says what to give where there are none', async () => {
  await expect(run({ defense: 'nad' })).rejects.toThrow(/^Cannot train by 'nad' without .*--clean/)
})

it('refuses trusted images of a class that the others do not have', async () => {
  cpSync(at('clean'), at('other'), { recursive: true })
  renameSync(join(at('other'), readdirSync(at('other'))[0] as string), join(at('other'), 'zebra'))
  await expect(run({ defense: 'nad', clean: at('other') })).rejects.toThrow(/there is no class 'zebra' among/)
})

describe('trusted images of another data set than the others', () => {
  const labels = Array.from({ length: 20 }, (_, i) => i % 10)
  beforeAll(async () => {
    await writeExample(at('batches'), 'binary', 10)
    const sharp = (await import('sharp')).default
    for (const [i, label] of labels.entries()) {
      const folder = join(at('folders'), knownClasses[label] as string)
      mkdirSync(folder, { recursive: true })
      const raw = { width: 40, height: 40, channels: 3 } as const
      await sharp(Buffer.alloc(4800, 12 * i), { raw })
        .png()
        .toFile(join(folder, `${i}.png`))
    }
  })

  const load = (data: string, given: object, clean: string) => {
    const config = resolveConfig({ ...onData(at(data), {}), clean: at(clean), ...given })
    return loadDataset(config, silent).then(({ train }) => loadTrusted(config, train, silent))
  }

  it.each([
    ['batches', 'folders', 20],
    ['folders', 'batches', 50],
    ['folders', 'folders', 20],
    ['batches', 'batches', 50],
  ])('are read by their own options: %s, and %s to trust', async (data, clean, count) => {
    const trusted = await load(data, {}, clean)
    expect([trusted?.labels.length, trusted?.shape, trusted?.classes.length]).toEqual([count, [3, 32, 32], 10])
  })

  it('are read by the options given where both are of one data set', async () => {
    expect((await load('folders', { 'dataset.size': 16 }, 'folders'))?.shape).toEqual([3, 16, 16])
    expect((await load('batches', { 'dataset.limit': 7 }, 'batches'))?.labels.length).toBe(7)
    expect((await load('batches', { 'dataset.limit': 7 }, 'folders'))?.labels.length).toBe(20)
  })

  it('are refused where their size is another', async () => {
    await expect(load('folders', { 'dataset.size': 16 }, 'batches')).rejects.toThrow(
      'they are 3×32×32, the others 3×16×16',
    )
  })
})
