import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { describeTraining } from '../cli/train.ts'
import { detect, evaluate, poisonData, run, train } from './api.ts'

// Folders as people have them: class folders, and no test images, or some beside them.

const home = mkdtempSync(join(tmpdir(), 'plain-folder-'))
afterAll(() => rmSync(home, { recursive: true }))
const photos = join(home, 'photos')
const machine = { device, threads: 1 } as const
const recipe = { ...machine, 'model.depth': 10, epochs: 1, batch: 24 } as const

beforeAll(async () => {
  const settings = { dataset: 'signs', 'dataset.train': 96, 'dataset.test': 12, attack: 'badnets', rate: 0 } as const
  await poisonData({ ...settings, ...machine }, { out: photos })
})

describe('an experiment on a folder without test images', () => {
  it('sets some apart, says so, records it, and is measured again on the same', async () => {
    const said: string[] = []
    const of = { dataset: 'image-folder', data: photos, attack: 'badnets', 'attack.size': 6 } as const
    const first = await run({ ...of, ...recipe }, { runs: home, listener: { say: (line) => said.push(line) } })
    expect(said).toContain('no test images there: 12 of 96 images are set apart to measure on')
    expect(first.cleanImages).toBe(12)
    expect(readFileSync(join(first.run, 'config.yaml'), 'utf8')).toContain('test-share: 0.1')
    const second = await run({ ...of, ...recipe, seed: 2 }, { runs: home })
    expect(second.environment.testHash).toBe(first.environment.testHash)
    const { cleanAccuracy, attackSuccessRate, trigger } = first
    const again = await evaluate(first.run)
    expect(again).toMatchObject({ cleanAccuracy, attackSuccessRate, trigger, cleanImages: 12 })
    expect(again.environment.testHash).toBe(first.environment.testHash)
    expect((await detect(first.run, { detector: 'activation-clustering' })).images).toBe(84)
  })

  it('is refused where none may be set apart', async () => {
    const none = { dataset: 'image-folder', data: photos, 'test-share': 0 } as const
    await expect(run({ ...none, ...recipe }, { runs: home })).rejects.toThrow('it has no test images')
  })

  it('takes those of a test folder where there is one', async () => {
    const data = split('divided')
    const { cleanImages } = await run({ dataset: 'image-folder', data, ...recipe }, { runs: home })
    expect(cleanImages).toBe(24)
  })
})

describe('a run that trained on a folder without test images', () => {
  const trained = () => train(photos, { ...recipe, defense: 'none', holdout: 0.25 }, { runs: home })

  it('is measured on the images that it held out, whatever seed is asked for, and says whose labels these are', async () => {
    const { run, heldOutAgreement, heldOutImages } = await trained()
    expect(heldOutImages).toBe(24)
    for (const given of [{}, { attack: 'badnets' }, { seed: 7 }] as const) {
      const measured = await evaluate(run, given)
      expect(measured).toMatchObject({ cleanAccuracy: heldOutAgreement, cleanImages: 24 })
      expect(measured.remarks).toContainEqual(expect.stringContaining('the images that the run held out'))
    }
  })

  it('is not where it held out none, or where the folder has changed since', async () => {
    const { run } = await train(photos, { ...recipe, defense: 'none', holdout: 0 }, { runs: home })
    await expect(evaluate(run)).rejects.toThrow('it has no test images')
    const data = join(home, 'changing')
    cpSync(photos, data, { recursive: true })
    const changed = await train(data, { ...recipe, defense: 'none', holdout: 0.25 }, { runs: home })
    const [first = ''] = readdirSync(data)
    rmSync(join(data, first, readdirSync(join(data, first))[0] as string))
    await expect(evaluate(changed.run)).rejects.toThrow('it has no test images')
  })
})

describe('training on a folder of one’s own', () => {
  it('uses every image where none is a test image', async () => {
    const result = await train(photos, { ...recipe, defense: 'none', holdout: 0 }, { runs: home })
    expect(result).toMatchObject({ trainingImages: 96, testImages: 0, testAgreement: null })
    expect(describeTraining(result)).not.toContain('test agreement')
  })

  it('measures agreement with the images of a test folder, and trains on none of them', async () => {
    const data = split('mine')
    const result = await train(data, { ...recipe, defense: 'none', holdout: 0 }, { runs: home })
    expect(result).toMatchObject({ trainingImages: 72, testImages: 24 })
    expect(describeTraining(result)).toMatch(/test agreement +\d+\.\d\d % of 24 images of its test folder/)
    // who measures the run measures the same
    expect((await evaluate(result.run)).cleanAccuracy).toBe(result.testAgreement)
  })
})

/** The photos with two of each class's eight in a test folder. */
function split(name: string): string {
  const data = join(home, name)
  for (const kind of readdirSync(photos)) {
    for (const [i, file] of readdirSync(join(photos, kind)).entries()) {
      const folder = join(data, i < 2 ? 'test' : 'train', kind)
      mkdirSync(folder, { recursive: true })
      cpSync(join(photos, kind, file), join(folder, file))
    }
  }
  return data
}
