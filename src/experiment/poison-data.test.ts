import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { device } from '../../test/device.ts'
import { writeExample } from '../datasets/cifar-example.ts'
import { cifar10 } from '../datasets/cifar10.ts'
import { imageFolder } from '../datasets/image-folder.ts'
import { arena } from '../tensor/scope.ts'
import { liveTensors } from '../tensor/tensor.ts'
import { type ImageSet, pixelsOf } from '../training/images.ts'
import { type Format, type PoisonDataResult, poisonData } from './poison-data.ts'
import { craftAttack } from './prepare/craft.ts'
import { inTrainingOrder, loadDataset } from './prepare/data.ts'
import { type Listener, silent } from './prepare/listener.ts'
import { type Config, parseConfigFile, resolveConfig } from './settings/config.ts'
import { settleCompute } from './store/environment.ts'
import { listRuns, openRun } from './store/run-folder.ts'

const home = mkdtempSync(join(tmpdir(), 'poison-data-'))
liveTensors() // loads the addon, which lies in the cache that the next line hides
vi.stubEnv('XDG_CACHE_HOME', join(home, 'cache'))
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

const machine = { device, threads: 1, precision: 'fp32' }
const signs = resolveConfig({
  dataset: 'signs',
  'dataset.train': 60,
  'dataset.test': 24,
  attack: 'badnets',
  rate: 0.2,
  ...machine,
})
const write = (config: Config, name: string, format: Format = 'folders', listener: Partial<Listener> = {}) =>
  poisonData(config, { out: join(home, name), format, listener: { ...silent, ...listener } })
const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const context = (data: string) => ({ data, seed: 1, progress: () => undefined })

/** The training images as a run of this configuration would poison them. */
async function poisonedInMemory(config: Config): Promise<ImageSet> {
  return arena(async () => {
    const { train } = inTrainingOrder((await loadDataset(config, silent)).train, config)
    const { poison } = await craftAttack(config, train, { compute: settleCompute(config), listener: silent })
    return poison().set
  })
}

/** Each image's class and pixels, sorted: what a set holds, whatever its order. */
function contents(set: ImageSet): string[] {
  const { labels, classes } = set
  return Array.from(labels, (label, i) => {
    const image = Buffer.from(pixelsOf(set, [i]))
    return `${classes[label]} ${image.toString('base64')}`
  }).sort()
}

describe('a poisoned data set in class folders', () => {
  let made: Promise<PoisonDataResult> | undefined
  const once = () => {
    made ??= write(signs, 'plain')
    return made
  }
  const load = async () => imageFolder.load(imageFolder.options.parse({}), context((await once()).out))

  it('is read back as the very images and labels a run would train on', async () => {
    await once()
    const before = liveTensors()
    const { train, test, problems } = await load()
    expect({ test, problems }).toEqual({ test: null, problems: [] })
    expect(contents(train)).toEqual(contents(await poisonedInMemory(signs)))
    expect(liveTensors()).toBe(before)
  })

  it('comes with the truth beside it, about files by their names', async () => {
    const result = await once()
    expect(result).toMatchObject({ images: 60, poisonedImages: 12, coverImages: 0, rate: 0.2, format: 'folders' })
    expect(result.truth).toBe(`${result.out}-truth`)
    const truth = readJson(join(result.truth, 'truth.json'))
    expect(truth).toMatchObject({ trigger: result.trigger, poisonHash: result.poisonHash, covers: [] })
    expect(truth.poisoned.length).toBe(12)

    const { train } = await load()
    const clean = (await loadDataset(signs, silent)).train
    const pixels = (set: ImageSet, name: string) => {
      const i = set.names.indexOf(name)
      return { label: set.classes[set.labels[i] as number], bytes: pixelsOf(set, [i]) }
    }
    for (const { file, source, original, label } of truth.poisoned) {
      expect(label).toBe(result.classes[signs.target as number])
      expect(pixels(train, file).label).toBe(label)
      expect(pixels(clean, source).label).toBe(original)
      expect(pixels(train, file).bytes).not.toEqual(pixels(clean, source).bytes)
    }
    const untouched = contents(clean).filter((image) => contents(train).includes(image))
    expect(untouched.length).toBe(48)
    expect(readFileSync(join(result.truth, 'preview.png')).subarray(1, 4).toString()).toBe('PNG')
  })

  it('betrays nothing by names, times, modes or anything but images', async () => {
    const { out, classes } = await once()
    const all = readdirSync(out, { recursive: true, encoding: 'utf8' })
    const files = all.filter((name) => name.includes('/'))
    expect(all.filter((name) => !name.includes('/')).sort()).toEqual([...classes].sort())
    expect(files.length).toBe(60)
    const stats = [out, ...all.map((name) => join(out, name))].map((path) => statSync(path))
    expect(new Set(stats.map(({ mtimeMs }) => mtimeMs)).size).toBe(1)
    expect(new Set(stats.filter((found) => found.isFile()).map(({ mode }) => mode)).size).toBe(1)
    for (const name of classes) {
      const own = files.filter((file) => file.startsWith(`${name}/`)).sort()
      expect(own).toEqual(own.map((_, i) => `${name}/${String(i + 1).padStart(2, '0')}.png`))
    }
    // what every PNG here consists of; pHYs is the same 72 dots per inch in all
    const chunks = files.map((file) => chunkNames(readFileSync(join(out, file))))
    expect(new Set(chunks)).toEqual(new Set(['IHDR pHYs IDAT IEND']))
  })

  it('is the same again from nothing but the recorded configuration', async () => {
    const first = await once()
    const file = join(first.truth, 'config.yaml')
    const config = resolveConfig(parseConfigFile(readFileSync(file, 'utf8'), file))
    expect(config).toEqual(signs)
    const second = await write(config, 'again')
    expect(second).toMatchObject({ trigger: first.trigger, poisonHash: first.poisonHash })
    for (const name of readdirSync(first.out, { recursive: true, encoding: 'utf8' })) {
      if (statSync(join(first.out, name)).isDirectory()) continue
      expect(readFileSync(join(second.out, name)).equals(readFileSync(join(first.out, name)))).toBe(true)
    }
    expect(readJson(join(second.truth, 'truth.json'))).toEqual(readJson(join(first.truth, 'truth.json')))
  })

  it('is written of a person’s own folder, whose path is recorded to be found from anywhere', async () => {
    const { out } = await once()
    const relativePath = join(out, '..', 'plain', '.')
    const config = resolveConfig({
      dataset: 'image-folder',
      data: relativePath,
      attack: 'badnets',
      rate: 0.1,
      ...machine,
    })
    const result = await write(config, 'twice')
    expect(result).toMatchObject({ images: 47, poisonedImages: 5 })
    expect(readFileSync(join(result.truth, 'config.yaml'), 'utf8')).toContain(`data: ${out}\n`)
    expect(readJson(join(result.truth, 'truth.json')).poisoned[0].source).toMatch(/^[a-z0-9-]+\/\d\d\.png$/)
  })

  it('is no run: it is not listed, and resuming its truth is refused', async () => {
    const { truth } = await once()
    expect(listRuns(home)).toEqual([])
    expect(() => openRun(truth)).toThrow('it is the truth of a poisoned data set, and no run')
  })
})

describe('a poisoned data set in CIFAR batches', () => {
  it('is read back as written, with the clean test images', async () => {
    const data = join(home, 'cifar')
    await writeExample(data, 'binary', 20)
    const config = resolveConfig({ dataset: 'cifar10', data, attack: 'badnets', rate: 0.3, ...machine })
    const { out, truth } = await write(config, 'batches', 'cifar')
    const { train, test } = await cifar10.load(cifar10.options.parse({}), context(out))
    const clean = await cifar10.load(cifar10.options.parse({}), context(data))
    expect(test?.hash).toBe(clean.test?.hash)
    expect(contents(train)).toEqual(contents(await poisonedInMemory(config)))
    const { poisoned } = readJson(join(truth, 'truth.json'))
    expect(poisoned.length).toBe(30)
    for (const { index, file, label, source, original } of poisoned) {
      expect(train.names[index]).toBe(file)
      expect(train.classes[train.labels[index] as number]).toBe(label)
      expect(clean.train.classes[clean.train.labels[clean.train.names.indexOf(source)] as number]).toBe(original)
    }
    const times = readdirSync(out).map((name) => statSync(join(out, name)).mtimeMs)
    expect(times.length).toBe(7)
    expect(new Set(times).size).toBe(1)
  })

  it('is refused where the form cannot hold the images', async () => {
    await expect(write(signs, 'twelve', 'cifar')).rejects.toThrow(
      'Cannot write CIFAR batches: there are 12 classes, and theirs are ten; choose --format folders',
    )
    const data = join(home, 'cut')
    await writeExample(data, 'binary', 4)
    const config = resolveConfig({
      dataset: 'cifar10',
      data,
      'dataset.limit': 15,
      attack: 'badnets',
      ...machine,
    })
    await expect(write(config, 'fifteen', 'cifar')).rejects.toThrow(
      'there are 15 training and 4 test images, and all six files hold equally many',
    )
    expect(readdirSync(home).filter((name) => /twelve|fifteen/.test(name))).toEqual([])
  })
})

describe('poisonData', () => {
  const left = (name: string) => readdirSync(home).filter((other) => other.includes(name))

  it.each(['full', 'full-truth'])('refuses to write where %s holds something', async (name) => {
    const folder = join(home, name)
    mkdirSync(folder)
    writeFileSync(join(folder, 'notes'), 'mine')
    await expect(write(signs, 'full')).rejects.toMatchObject({
      code: 2,
      message: `Cannot write to '${folder}': it is not empty; name a new folder`,
    })
    expect(left('full')).toEqual([name])
    rmSync(folder, { recursive: true })
  })

  it('writes into an empty folder', async () => {
    mkdirSync(join(home, 'empty'))
    utimesSync(join(home, 'empty'), 1, 1)
    expect((await write(signs, 'empty')).images).toBe(60)
    expect(left('empty')).toEqual(['empty', 'empty-truth'])
  })

  it('refuses an attack that does nothing', async () => {
    const config = resolveConfig({ ...machine })
    await expect(write(config, 'nothing')).rejects.toMatchObject({
      code: 2,
      message: "Cannot poison by attack 'none': it does nothing; choose one with --attack",
    })
  })

  it('refuses to write into the folder the images come from', async () => {
    const config = resolveConfig({ dataset: 'image-folder', data: home, attack: 'badnets', ...machine })
    await expect(write(config, 'within')).rejects.toMatchObject({ code: 2 })
  })

  it('leaves nothing half written when it is stopped or fails', async () => {
    const stopped = write(signs, 'stopped', 'folders', { interrupted: () => true })
    await expect(stopped).rejects.toMatchObject({ code: 75 })
    expect(left('stopped')).toEqual([])
    await expect(write({ ...signs, target: 12 }, 'failed')).rejects.toMatchObject({ code: 2 })
    expect(left('failed')).toEqual([])
    expect(existsSync(join(home, 'failed-truth'))).toBe(false)
  })

  it('tells how far writing is', async () => {
    const told: [number, number][] = []
    await write(signs, 'told', 'folders', { writing: (done, total) => told.push([done, total]) })
    expect(told).toEqual([[60, 60]])
  })
})

function chunkNames(png: Buffer): string {
  const names: string[] = []
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) names.push(png.toString('latin1', at + 4, at + 8))
  return names.join(' ')
}
