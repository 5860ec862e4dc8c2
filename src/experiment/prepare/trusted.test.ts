import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { liveTensors } from '../../tensor/tensor.ts'
import { poisonData, train } from '../api.ts'

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
