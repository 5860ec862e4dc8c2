import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { run } from '../../src/experiment/api.ts'
import { device } from '../device.ts'

const given = fileURLToPath(new URL('../../../shared/cases/abl-flooding/data', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'abl-flooding-'))
afterAll(() => rmSync(home, { recursive: true }))

// Skipped where the folder of cases is not beside the repository.
describe.skipIf(!existsSync(given))('ABL on images whose losses cross the level', () => {
  it('gives another model by local gradient ascent than by flooding', async () => {
    const data = join(home, 'data')
    cpSync(given, data, { recursive: true })
    const train = async (isolation: string) => {
      const settings = {
        dataset: 'image-folder',
        data,
        attack: 'badnets',
        rate: 0.2,
        epochs: 2,
        batch: 8,
        threads: 1,
        device,
        defense: 'abl',
        'defense.isolation-epochs': 6,
        'defense.epochs': 1,
        'defense.unlearning-epochs': 1,
        'defense.isolated': 0.2,
        'defense.level': 1.2,
        'defense.isolation': isolation,
      } as const
      return (await run(settings, { runs: join(home, 'runs') })).modelHash
    }
    const [ascent, flooding] = [await train('ascent'), await train('flooding')]
    expect(ascent).not.toBe(flooding)
    expect(await train('ascent')).toBe(ascent)
  })
})
