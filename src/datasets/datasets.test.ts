import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { writeImagenet, writeList, writeParquet, writeShards, writeSigns } from '../../test/data-examples.ts'
import { ownCache } from '../../test/own-cache.ts'
import { imageSet } from '../training/images.ts'
import { writeExample, writeHundred } from './cifar-example.ts'
import type { Dataset, DatasetEntry } from './dataset.ts'
import { type DatasetName, datasets } from './index.ts'

interface Example {
  readonly options: Record<string, unknown>
  /** makes what `--data` may point to; null for an entry that needs none */
  readonly write: ((folder: string) => Promise<void>) | null
  /** where in the folder `--data` points to; to the folder itself if not given */
  readonly at?: string
}

const writeImages = async (folder: string) => {
  for (const name of ['train/a', 'train/b', 'test/a']) {
    await mkdir(join(folder, name), { recursive: true })
    const image = sharp({ create: { width: 20, height: 30, channels: 3, background: '#446688' } })
    await image.png().toFile(join(folder, name, '1.png'))
  }
}

const examples: Record<DatasetName, Example> = {
  signs: { options: { train: 260, test: 24 }, write: null },
  cifar10: { options: {}, write: (folder) => writeExample(folder, 'python', 3) },
  cifar100: { options: {}, write: (folder) => writeHundred(folder, 'python') },
  gtsrb: { options: {}, write: writeSigns },
  'imagenet-subset': { options: {}, write: (folder) => writeImagenet(folder) },
  manifest: { options: {}, write: writeList, at: 'photos.csv' },
  tar: { options: {}, write: writeShards },
  parquet: { options: {}, write: writeParquet },
  'image-folder': { options: {}, write: writeImages },
}

describe.each(Object.entries(datasets) as [DatasetName, DatasetEntry][])('data set %s', (name, entry) => {
  const { options, write, at = '' } = examples[name]
  let home: string
  let data: string | undefined
  const steps: (readonly [done: number, total: number])[] = []
  const load = (): Promise<Dataset> =>
    entry.load(entry.options.parse(options), { data, seed: 1, progress: (done, total) => steps.push([done, total]) })
  let loaded: Dataset
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'datasets-'))
    ownCache(join(home, 'cache'))
    await write?.(join(home, 'data'))
    data = write === null ? undefined : join(home, 'data', at)
    loaded = await load()
  }, 60_000)
  afterAll(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })

  it('has a default for every option, and explains each', () => {
    expect(entry.options.safeParse({}).success).toBe(true)
    for (const option of Object.values(entry.options.shape))
      expect((option as { description?: string }).description).toBeTruthy()
  })

  it('gives image sets whose parts fit', () => {
    for (const set of [loaded.train, loaded.test]) {
      if (set === null) continue
      expect(imageSet(set).hash).toBe(set.hash)
      expect(set.labels.length).toBeGreaterThan(0)
      expect(new Set(set.names).size).toBe(set.names.length)
      expect(set.labels.every((label) => label >= 0 && label < set.classes.length)).toBe(true)
    }
    expect(loaded.test?.classes).toEqual(loaded.train.classes)
    expect(loaded.test?.shape).toEqual(loaded.train.shape)
  })

  it('is recognized by what it is given, and by nothing else', () => {
    const recognized = Object.entries(datasets).find(([, each]) => data !== undefined && each.recognizes(data))
    expect(recognized?.[0]).toBe(write === null ? undefined : name)
  })

  it('says where the files lie that its images are named by, if there are such', () => {
    const folder = data === undefined ? null : entry.folderOf(data)
    if (folder === null) return
    for (const set of [loaded.train, loaded.test])
      for (const file of set?.names ?? []) expect(existsSync(join(folder, file)), file).toBe(true)
  })

  it('gives the same again', async () => {
    const again = await load()
    expect(again.train.hash).toBe(loaded.train.hash)
    expect(again.test?.hash).toBe(loaded.test?.hash)
    expect(again.problems).toEqual(loaded.problems)
  })

  it('has a target among its classes and a learning rate', () => {
    expect(loaded.train.classes[entry.target]).toBeDefined()
    expect(entry.learningRate).toBeGreaterThan(0)
  })

  it('tells its progress up to the end', () => {
    expect(steps.length).toBeGreaterThan(0)
    for (const [done, total] of steps) expect(done).toBeLessThanOrEqual(total)
    expect(steps.at(-1)?.[0]).toBe(steps.at(-1)?.[1])
  })

  it('asks for --data if it needs data, and only then', async () => {
    expect(entry.data === null).toBe(write === null)
    if (entry.data === null) return
    const nowhere = { data: undefined, seed: 1, progress: () => undefined }
    await expect(entry.load(entry.options.parse({}), nowhere)).rejects.toThrow('give --data')
  })
})

it('lists in the catalogue every data set in the folder, under the name of its file', async () => {
  const names: string[] = []
  for (const file of await readdir(import.meta.dirname)) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts') || file === 'dataset.ts') continue
    const text = await readFile(join(import.meta.dirname, file), 'utf8')
    if (text.includes('= defineDataset(')) names.push(file.replace('.ts', ''))
  }
  expect(names.sort()).toEqual(Object.keys(datasets).sort())
})
