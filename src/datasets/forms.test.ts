import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { parquetOf, ppm, put, tarEntry, tarOf } from '../../test/data-examples.ts'
import { ownCache } from '../../test/own-cache.ts'
import type { DatasetEntry } from './dataset.ts'
import { datasets } from './index.ts'

// The same nine images in every form that holds anybody's images.

const images = ['ant', 'bee', 'cat'].flatMap((label, k) =>
  [0, 1, 2].map((i) => ({ label, path: `${label}/${i}.ppm`, image: ppm(20, 18, 10 * k + i) })),
)
const line = ({ path, label }: { path: string; label: string }) => JSON.stringify({ path, label })
const csv = ['label,path', ...images.map(({ path, label }) => `${label},${path}`)].join('\n')
const tar = tarOf(
  ...images.flatMap(({ label, image }, i) => [
    tarEntry(`${i}.ppm`, image),
    tarEntry(`${i}.json`, JSON.stringify({ label })),
  ]),
)

let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'forms-'))
  ownCache(join(home, 'cache'))
  for (const { path, image } of images) await put(join(home, 'data', path), image)
  await put(join(home, 'lists', 'a.csv'), csv)
  for (const { path, image } of images) await put(join(home, 'lists', path), image)
  await put(join(home, 'lists', 'b.jsonl'), images.map(line).join('\n'))
  await put(join(home, 'c.tar'), tar)
  await put(join(home, 'd.parquet'), parquetOf(images))
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true })
})

it('the same images make the same set, in whatever form they come', async () => {
  const hashes = new Map<string, string>()
  for (const path of ['data', 'lists/a.csv', 'lists/b.jsonl', 'c.tar', 'd.parquet']) {
    const data = join(home, path)
    const entry = Object.values(datasets).find((each) => each.recognizes(data)) as unknown as DatasetEntry
    const { train, problems } = await entry.load(entry.options.parse({}), { data, seed: 1, progress: () => undefined })
    expect(problems).toEqual([])
    hashes.set(path, train.hash)
  }
  expect(new Set(hashes.values()).size).toBe(1)
})
