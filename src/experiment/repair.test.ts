import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { foldersWriter } from '../datasets/folders-writer.ts'
import { datasets } from '../datasets/index.ts'
import { formatSafetensors, parseSafetensors } from '../tensor/safetensors.ts'
import { liveTensors } from '../tensor/tensor.ts'
import { imageSet, subset } from '../training/images.ts'
import { evaluate, repair, resume, run } from './api.ts'
import { repairing } from './repair.ts'
import { describeModel } from './store/saved-model.ts'
import type { RepairResult } from './store/schema.ts'

// A model of unknown origin and a folder of clean images: here the origin is known, so that the backdoor can be measured.

liveTensors() // loads the addon from the real cache
const realCache = process.env.XDG_CACHE_HOME
const home = mkdtempSync(join(tmpdir(), 'repair-'))
process.env.XDG_CACHE_HOME = join(home, 'cache')
afterAll(() => {
  rmSync(home, { recursive: true })
  if (realCache === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = realCache
})

const machine = { device, precision: 'fp32', threads: 1 } as const
const plain = { padding: 1, cutout: 0, flip: false } as const
const runs = join(home, 'runs')
const [untrusted, clean] = [join(home, 'untrusted'), join(home, 'trusted')]
/** a run that planted a backdoor, and how its model does */
let planted: Awaited<ReturnType<typeof run>>

/** Signs of every third class, as folders. */
async function writeSigns(folder: string, { count, seed }: { count: number; seed: number }) {
  const set = await datasets.signs.load({ train: 3 * count, test: 12 }, { data: undefined, seed, progress() {} })
  const { train } = set
  const third = subset(
    train,
    Array.from(train.labels.keys()).filter((i) => (train.labels[i] as number) % 3 === 0),
  )
  const four = imageSet({
    ...third,
    labels: third.labels.map((y) => y / 3),
    classes: train.classes.filter((_, k) => k % 3 === 0),
  })
  mkdirSync(folder)
  await foldersWriter.write(folder, { train: four, test: null }, () => {})
}

beforeAll(async () => {
  await writeSigns(untrusted, { count: 600, seed: 1 })
  await writeSigns(clean, { count: 120, seed: 9 })
  const poisoned = { attack: 'badnets', 'attack.size': 9, rate: 0.2, 'test-share': 0.2 } as const
  const recipe = { 'model.depth': 10, epochs: 8, batch: 32, 'learning-rate': 0.1, ...plain, ...machine } as const
  planted = await run({ dataset: 'image-folder', data: untrusted, ...poisoned, ...recipe }, { runs })
}, 120_000)

const short: Readonly<Record<string, object>> = {
  'fine-pruning': { 'defense.epochs': 15, 'defense.rate': 0.1, 'defense.batch': 32 },
  nad: {
    'defense.teacher-epochs': 6,
    'defense.epochs': 8,
    'defense.batch': 16,
    'defense.rate': 0.05,
    'defense.fast-epochs': 5,
  },
  mcr: {
    'defense.tuning-epochs': 6,
    'defense.tuning-rate': 0.1,
    'defense.epochs': 8,
    'defense.rate': 0.2,
    'defense.batch': 32,
    'defense.at': 0.5,
  },
}

describe('a repair', () => {
  it('faces a model that obeys its trigger', () => {
    expect(planted.attackSuccessRate).toBeGreaterThan(0.95)
    expect(planted.cleanAccuracy).toBeGreaterThan(0.8)
  })

  it.each(repairing)(
    'lowers the attack success rate, and says what it cost and what it cannot know: %s',
    async (defense) => {
      const options = { clean, defense, ...machine, ...plain, ...short[defense] }
      const result = await repair(planted.run, options, { runs })
      const after = await evaluate(result.run, {}, { trigger: planted.run })
      expect(after.attackSuccessRate).toBeLessThan(0.5)
      expect(after.cleanAccuracy).toBeGreaterThan(0.7)
      expect([result.cleanImages, result.heldOutImages]).toEqual([96, 24])
      expect(result.accuracyBefore).toBeGreaterThan(0.8)
      expect(result.accuracyAfter).toBeGreaterThan(0.7)
      expect(result.remarks.join('\n')).toMatch(/cannot be known from clean images.*\n.*\n24 held-out images are few/)
      const before = await evaluate(result.files.before, {}, { trigger: planted.run })
      expect(before.attackSuccessRate).toBe(planted.attackSuccessRate)
    },
    60_000,
  )

  it('goes on where it was stopped, to the same weights, whatever has become of the model that was given', async () => {
    const options = {
      clean,
      defense: 'nad',
      ...machine,
      ...plain,
      'defense.teacher-epochs': 1,
      'defense.epochs': 1,
    } as const
    const straight = await repair(planted.run, options, { runs })
    const file = join(home, 'given.safetensors')
    copyFileSync(join(planted.run, 'model.safetensors'), file)
    let begun = false
    const listener = {
      interrupted: () => begun,
      progress({ stage }: { stage: string }) {
        begun ||= stage === 'model'
      },
    }
    const stopped = join(home, 'stopped')
    await expect(repair(file, options, { runs: stopped, listener })).rejects.toMatchObject({ code: 75 })
    rmSync(file)
    const [folder = ''] = readdirSync(stopped)
    const resumed = (await resume(join(stopped, folder))) as RepairResult
    expect(resumed.modelHash).toBe(straight.modelHash)
    expect(resumed.given).toBe(file)
    expect(await resume(join(stopped, folder))).toEqual(resumed)
  }, 60_000)

  it('takes a model that was trained elsewhere, whose classes are those of the images or are named', async () => {
    const path = join(home, 'elsewhere.safetensors')
    // The planted model as others would save it: its weights alone, and a normalization that the user has to know.
    const { tensors } = parseSafetensors(readFileSync(join(planted.run, 'model.safetensors')), 'it')
    const weights = [...tensors].filter(([name]) => !name.startsWith('normalization.'))
    writeFileSync(path, Buffer.concat(formatSafetensors({ tensors: weights })))
    const options = { clean, ...machine, ...plain, 'defense.epochs': 1 } as const
    const { run: repaired, classes, accuracyBefore } = await repair(path, options, { runs, size: 32 })
    expect(classes).toEqual(describeModel(join(planted.run, 'model.safetensors')).classes)
    expect(accuracyBefore).toBeGreaterThan(0.5) // the usual normalization is near that of the images
    expect(describeModel(join(repaired, 'model.safetensors'))).toMatchObject({
      model: 'wrn',
      shape: [3, 32, 32],
      classes,
    })
    const others = ['a', 'b', 'c', 'd']
    await expect(repair(path, options, { runs, size: 32, classes: others })).rejects.toThrow(
      `among the model's (${others.join(', ')})`,
    )
  }, 60_000)

  it.each<[string, Record<string, unknown>, string]>([
    [
      'no clean images',
      { clean: undefined },
      'Cannot repair without clean images: give --clean, a folder of class folders',
    ],
    [
      'a defense that trains on untrusted images',
      { defense: 'cbd' },
      "Cannot repair by 'cbd': it needs the images that the model was trained on; choose fine-pruning, mcr, nad",
    ],
    [
      'an option that needs these',
      { defense: 'mcr', 'defense.second': 'backdoored' },
      "Cannot repair with defense.second 'backdoored': that needs the images that the model was trained on; leave defense.second out, which is 'tuned'",
    ],
  ])('is refused with %s, and leaves nothing behind', async (_, more, message) => {
    const nowhere = join(home, 'nowhere')
    const options = { clean, ...machine, ...more } as { clean: string }
    await expect(repair(planted.run, options, { runs: nowhere })).rejects.toThrow(message)
    expect(existsSync(nowhere)).toBe(false)
  })
})
