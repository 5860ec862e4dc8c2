import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { DatasetEntry } from '../src/datasets/dataset.ts'
import { datasets } from '../src/datasets/index.ts'
import { command } from './command.ts'

// `data fetch`, as a shell would give it, without a network.

const home = mkdtempSync(join(tmpdir(), 'data-'))
afterAll(() => rmSync(home, { recursive: true }))

describe('data fetch', () => {
  it('says what it would fetch, and touches nothing', async () => {
    const words = ['data', 'fetch', 'gtsrb', '--to', join(home, 'new'), '--dry-run']
    const { code, out } = await command(...words, '--json')
    const { folder, archives } = JSON.parse(out)
    expect([code, folder, archives.length]).toEqual([0, join(home, 'new/GTSRB'), 3])
    expect(archives[0]).toMatchObject({ bytes: 276_294_756, from: expect.stringContaining('https://sid.erda.dk/') })
    const { out: told } = await command(...words, '--mirror', 'https://mirror.example.org/gtsrb/')
    expect(told).toContain('https://mirror.example.org/gtsrb/GTSRB_Final_Test_GT.zip: 99.6 kB, MD5 fe31e9c9')
    expect(existsSync(join(home, 'new'))).toBe(false)
  })

  it('refuses an archive of a mirror that is not the published one, and leaves nothing', async () => {
    const mirror = join(home, 'mirror')
    mkdirSync(mirror)
    const to = join(home, 'to')
    const words = ['data', 'fetch', 'cifar10', '--to', to, '--mirror', mirror]
    expect(await command(...words)).toMatchObject({ code: 3, error: expect.stringContaining('is not there') })
    writeFileSync(join(mirror, 'cifar-10-python.tar.gz'), 'something else')
    const { code, error } = await command(...words)
    expect([code, error]).toEqual([7, expect.stringContaining('it has 14 bytes, and the published file 170498071')])
    expect(existsSync(join(to, 'cifar-10-batches-py.part'))).toBe(false)
  })

  it.each([
    ['what nobody publishes', ['fetch', 'signs'], "Cannot fetch 'signs'"],
    ['a wrong name', ['fetch', 'cifar11'], "did you mean 'cifar10'"],
    ['another action', ['push', 'cifar10'], "Cannot do with data 'push'"],
    ['nothing', ['fetch'], 'without <dataset>'],
  ])('is refused for %s', async (_, words, reason) => {
    expect(await command('data', ...words)).toMatchObject({ code: 2, error: expect.stringContaining(reason) })
  })

  const real = 'data/cifar-10-batches-py'
  it.skipIf(!existsSync(real))('finds CIFAR-10 there, where it is in data/, by the digests of its files', async () => {
    const { out } = await command('data', 'fetch', 'cifar10', '--json')
    expect(JSON.parse(out)).toMatchObject({ dataset: 'cifar10', wasThere: true })
  })
})

describe('every release', () => {
  const published = Object.entries(datasets as Readonly<Record<string, DatasetEntry>>).flatMap(([name, { release }]) =>
    release ? [[name, release] as const] : [],
  )

  it.each(published)('of %s is complete', (_, { archives, files, mostBytes }) => {
    for (const { url, bytes, md5, sha256 } of archives) {
      expect(url).toMatch(/^https:\/\//)
      expect(md5).toMatch(/^[0-9a-f]{32}$/)
      expect(sha256 ?? '0'.repeat(64)).toMatch(/^[0-9a-f]{64}$/)
      expect(bytes).toBeLessThan(mostBytes)
    }
    expect(new Set(archives.map(({ url }) => basename(url))).size).toBe(archives.length)
    expect(Object.keys(files).length).toBeGreaterThan(0)
  })
})
