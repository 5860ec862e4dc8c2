import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { command } from '../../test/command.ts'
import { liveTensors } from '../tensor/tensor.ts'

// What a run would refuse, a dry run refuses in the same words.

liveTensors() // loads the addon, which lies in the cache that the next lines hide
const home = mkdtempSync(join(tmpdir(), 'dry-run-'))
vi.stubEnv('XDG_CACHE_HOME', join(home, 'cache'))
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

beforeAll(async () => {
  for (const [folder, count] of [
    ['photos/cat', 8],
    ['photos/dog', 9],
    ['few/cat', 2],
    ['few/dog', 1],
    ['split/train/cat', 4],
    ['split/train/dog', 4],
    ['split/test/cat', 2],
    ['split/test/dog', 2],
  ] as const) {
    mkdirSync(join(home, folder), { recursive: true })
    for (let i = 0; i < count; i++) {
      const noise = Buffer.from(Array.from({ length: 192 }, (_, k) => (k * k * (i + 3)) % 256))
      await sharp(noise, { raw: { width: 8, height: 8, channels: 3 } })
        .png()
        .toFile(join(home, folder, `${i}.png`))
    }
  }
})

const small = ['--threads', '1', '--model.depth', '10', '--dataset.size', '8']
const run = (data: string) => ['run', '--dataset', 'image-folder', '--data', join(home, data)]

it('shows classes with counts, what is held out and what is skipped', async () => {
  const { out, error } = await command('train', join(home, 'photos'), '--dry-run', ...small)
  expect(out).toContain('classes: cat 8, dog 9')
  expect(error).toContain('2 classes: cat 8, dog 9')
  const plan = await command('train', join(home, 'photos'), '--holdout', '0.2', '--dry-run', '--json', ...small)
  const expected = { classes: { cat: 8, dog: 9 }, trainingImages: 15, heldOutImages: 2, skippedFiles: [] }
  expect(JSON.parse(plan.out)).toMatchObject(expected)
})

it.each([
  ['a defense without the images that it needs', ['train', 'photos', '--defense', 'nad'], "train by 'nad' without"],
  ['too few images', ['train', 'few'], 'Cannot train on 3 images'],
  ['an experiment without test images', ['run', 'photos', '--test-share', '0'], 'it has no test images'],
  [
    'an experiment’s defense without clean images',
    ['run', 'split', '--defense', 'nad', '--clean-share', '0'],
    "'nad' without",
  ],
  [
    'a target that is no class',
    ['run', 'split', '--attack', 'badnets', '--target', 'fox'],
    'there is none of this name',
  ],
  [
    'a rate of no image',
    ['run', 'split', '--attack', 'badnets', '--rate', '0.01'],
    'that is none of them; raise the rate',
  ],
])('refuses what a run would refuse: %s', async (_, [name, data, ...words], facts) => {
  const whole = name === 'train' ? ['train', join(home, data as string)] : run(data as string)
  for (const dry of [['--dry-run'], ['--runs', join(home, 'runs'), '--epochs', '1']]) {
    const { code, error } = await command(...whole, ...(words as string[]), ...small, ...dry)
    expect(code).toBeGreaterThan(1)
    expect(error).toContain(facts)
    expect(error).not.toContain('to go on')
  }
})
