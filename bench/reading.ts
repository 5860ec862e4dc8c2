// Reading data: CIFAR-10 where it lies under data/, and 10,000 PNG files of 32 pixels, first and from the cache. Seconds.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { datasets } from '../src/datasets/index.ts'
import { liveTensors } from '../src/tensor/tensor.ts'

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean' }, data: { type: 'string', default: 'data/cifar-10-batches-py' } },
})
const quiet = { seed: 1, progress: () => {} }

async function seconds(body: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await body()
  return (performance.now() - began) / 1000
}

const folder = mkdtempSync(join(tmpdir(), 'deconfound-reading-'))
liveTensors() // loads the addon, which lies in the user's cache
process.env.XDG_CACHE_HOME = join(folder, 'cache')
try {
  const images = join(folder, 'images')
  for (let k = 0; k < 10; k++) mkdirSync(join(images, String(k)), { recursive: true })
  const noise = new Uint8Array(32 * 32 * 3)
  for (let i = 0; i < 10_000; i++) {
    for (let p = 0; p < noise.length; p++) noise[p] = (i * 31 + p * 7 + ((p * i) >> 5)) & 255
    await sharp(noise, { raw: { width: 32, height: 32, channels: 3 } })
      .png()
      .toFile(join(images, String(i % 10), `${i}.png`))
  }
  const folderOptions = datasets['image-folder'].options.parse({})
  const first = await seconds(() => datasets['image-folder'].load(folderOptions, { data: images, ...quiet }))
  const cached = await seconds(() => datasets['image-folder'].load(folderOptions, { data: images, ...quiet }))
  const cifar = existsSync(flags.data)
    ? await seconds(() => datasets.cifar10.load(datasets.cifar10.options.parse({}), { data: flags.data, ...quiet }))
    : null
  const result = { cifar10: cifar, tenThousandPngs: first, tenThousandPngsCached: cached }
  process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
