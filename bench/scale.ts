// Data of growing size: JPEG files of 256×256 pixels, 1, 2, 4 and 8 times as many, decoded to 64 and to 224 pixels. Images a
// second at first, from the cache, and by the loader with augmentation, beside what training takes. `--large GB` decodes so
// much at 224 pixels and looks at memory; as root it also compares a pass over pages that lie on the disk alone with one over
// pages in memory. `--json` prints one line.
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import type { Dataset } from '../src/datasets/dataset.ts'
import { decodedFolder } from '../src/datasets/decode-cache.ts'
import { datasets } from '../src/datasets/index.ts'
import { defend } from '../src/experiment/prepare/defend.ts'
import { resolveConfig } from '../src/experiment/settings/config.ts'
import { planCompute, useThreads } from '../src/tensor/device.ts'
import { keepFreedMemory } from '../src/tensor/native.ts'
import { Random } from '../src/tensor/random.ts'
import { arena, scope } from '../src/tensor/scope.ts'
import { liveTensors } from '../src/tensor/tensor.ts'
import { drawAugmentation } from '../src/training/augment.ts'
import { noCheckpoints } from '../src/training/checkpoint.ts'
import { type ImageSet, subset } from '../src/training/images.ts'
import { loader, slices } from '../src/training/loader.ts'
import { quiet } from '../src/training/reporter.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    images: { type: 'string', default: '500' },
    large: { type: 'string', default: '0' },
    threads: { type: 'string', default: '2' },
  },
})
const classes = 5
const base = Number(flags.images)
const compute = planCompute({ device: 'cpu', precision: 'auto', threads: Number(flags.threads) })
keepFreedMemory() // as the command line does
useThreads(compute.threads)
liveTensors() // loads the addon, which lies in the user's cache
const folder = mkdtempSync(join(tmpdir(), 'deconfound-scale-'))
process.env.XDG_CACHE_HOME = join(folder, 'cache')

/** Anonymous memory of this process, MB: pages of mapped files do not count. */
const anonymous = () => Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024

async function seconds(body: () => unknown): Promise<number> {
  const began = performance.now()
  await body()
  return (performance.now() - began) / 1000
}

/** A picture of smooth shapes and grain, about as many bytes as a photograph. */
async function photograph(seed: number): Promise<Buffer> {
  const random = new Random(seed)
  const noise = (side: number) => ({
    input: Buffer.from(Uint8Array.from({ length: side * side * 3 }, () => random.integer(256))),
    raw: { width: side, height: side, channels: 3 as const },
  })
  const { input, raw } = noise(9)
  const grain = await sharp(noise(128).input, { raw: noise(128).raw })
    .resize(256, 256)
    .png()
    .toBuffer()
  return sharp(input, { raw })
    .resize(256, 256, { kernel: 'cubic' })
    .composite([{ input: grain, blend: 'soft-light' }])
    .jpeg({ quality: 85 })
    .toBuffer()
}

/** A folder of `count` files, which are the same few photographs again and again under names of their own. */
function folderOf(name: string, count: number, photographs: readonly string[]): string {
  const path = join(folder, name)
  for (let k = 0; k < classes; k++) mkdirSync(join(path, `class ${k}`), { recursive: true })
  for (let i = 0; i < count; i++) {
    linkSync(photographs[i % photographs.length] as string, join(path, `class ${i % classes}`, `${i}.jpg`))
  }
  return path
}

const load = (data: string, size: number): Promise<Dataset> => {
  const entry = datasets['image-folder']
  return entry.load(entry.options.parse({ size }), { data, seed: 1, progress: () => undefined })
}

/** One pass over the images in random order, augmented, as a stage of training reads them. */
function onePass(set: ImageSet, batch: number): void {
  const [, height, width] = set.shape
  const count = set.labels.length
  const images = loader(set, 'cpu')
  const augmentation = { padding: Math.round(height / 8), flip: true, cutout: 0 }
  const draws = drawAugmentation(new Random(1), augmentation, count, [height, width])
  const parts = slices(new Random(2).permutation(count), batch)
  for (const [b, indices] of parts.entries()) {
    images.ahead(() => parts[b + 1] ?? indices)
    scope(() => void images.images(indices, draws))
  }
  images.free()
}

/** Images a second that plain training takes: an epoch after one that warms up. */
async function trained(set: ImageSet, settings: Record<string, unknown>): Promise<number> {
  const times: number[] = []
  const config = resolveConfig({ dataset: 'image-folder', data: '.', defense: 'none', epochs: 2, ...settings })
  await arena(() =>
    defend(config, set, {
      compute,
      random: new Random(1),
      checkpoints: noCheckpoints,
      reporter: { ...quiet, epoch: ({ seconds: each }) => void times.push(each) },
    }),
  )
  return set.labels.length / (times[1] as number)
}

/** What a data set of so many GB takes of memory, and whether pages that must come from the disk slow a pass down. */
async function large(gigabytes: number, photographs: readonly string[]) {
  const count = Math.ceil((gigabytes * 1e9) / (3 * 224 ** 2))
  const data = folderOf('large', count, photographs)
  const first = await seconds(() => load(data, 224))
  let set: ImageSet | undefined
  const cached = await seconds(async () => {
    set = (await load(data, 224)).train
  })
  const read = set as ImageSet
  const warm = await seconds(() => onePass(read, 32))
  let cold: number | null = null
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '1')
    cold = await seconds(() => onePass(read, 32))
  } catch {
    // only root may
  }
  return {
    gigabytes,
    images: count,
    firstPerSecond: count / first,
    cachedSeconds: cached,
    passPerSecond: count / warm,
    coldPassPerSecond: cold === null ? null : count / cold,
    anonymousMegabytes: anonymous(),
  }
}

try {
  mkdirSync(join(folder, 'photographs'))
  const photographs: string[] = []
  for (let i = 0; i < 200; i++) {
    const path = join(folder, 'photographs', `${i}.jpg`)
    writeFileSync(path, await photograph(i))
    photographs.push(path)
  }
  const forms = [
    { size: 64, batch: 128, model: {} },
    { size: 224, batch: 32, model: { model: 'resnet', 'model.depth': 18 } },
  ]
  const rows = []
  for (const { size, batch, model } of forms) {
    for (const factor of [1, 2, 4, 8]) {
      const count = factor * base
      const data = folderOf(`${size}-${factor}`, count, photographs)
      const first = await seconds(() => load(data, size))
      const cached = await seconds(() => load(data, size))
      const { train } = await load(data, size)
      onePass(train, batch)
      const pass = await seconds(() => onePass(train, batch))
      rows.push({
        size,
        images: count,
        firstPerSecond: count / first,
        cachedSeconds: cached,
        passPerSecond: count / pass,
        trainedPerSecond:
          factor === 1 ? await trained(subset(train, Int32Array.from(Array(256).keys())), { batch, ...model }) : null,
        anonymousMegabytes: anonymous(),
      })
      rmSync(decodedFolder(), { recursive: true })
    }
  }
  const largest = Number(flags.large) > 0 ? await large(Number(flags.large), photographs) : null
  const result = { threads: compute.threads, rows, large: largest }
  process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
