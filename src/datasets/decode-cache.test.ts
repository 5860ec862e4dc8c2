import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { imageSet } from '../training/images.ts'
import { type Decoded, decodedFolder, keepDecoded, readDecoded } from './decode-cache.ts'

const set = (count: number, seed: number) =>
  imageSet({
    pixels: Uint8Array.from({ length: count * 192 }, (_, i) => (i * seed) % 251),
    labels: Int32Array.from({ length: count }, (_, i) => i % 2),
    names: Array.from({ length: count }, (_, i) => `a/\\x0a ${i}.png`),
    shape: [3, 8, 8],
    classes: ['a', '__proto__'],
  })
const dataset: Decoded = { train: set(5, 3), test: set(3, 7), problems: [{ file: 'a/b', reason: 'torn' }] }

describe('the cache of decoded images', () => {
  let home: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'decoded-'))
    vi.stubEnv('XDG_CACHE_HOME', home)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })

  it('lies below the cache folder of the desktop standard, if that is absolute', () => {
    expect(decodedFolder()).toBe(join(home, 'deconfound', 'decoded'))
    vi.stubEnv('XDG_CACHE_HOME', 'relative')
    expect(decodedFolder()).toMatch(/^\/.*\.cache\/deconfound\/decoded$/)
  })

  it('gives back what it was given, with and without test images', async () => {
    expect(await readDecoded('k')).toBeUndefined()
    await keepDecoded('k', dataset)
    expect(await readDecoded('k')).toEqual(dataset)
    await keepDecoded('k', { ...dataset, test: null })
    expect(await readDecoded('k')).toEqual({ ...dataset, test: null })
    expect(await readdir(decodedFolder())).toEqual(['k.images'])
  })

  it('notices any damaged byte and any missing end, and removes the file', async () => {
    await keepDecoded('k', dataset)
    const path = join(decodedFolder(), 'k.images')
    const whole = await readFile(path)
    for (let at = 0; at < whole.length; at += 13) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] as number) ^ 4
      await writeFile(path, at % 2 === 0 ? damaged : whole.subarray(0, at))
      expect(await readDecoded('k')).toBeUndefined()
      expect(existsSync(path)).toBe(false)
    }
  })

  it('believes no length in a header', async () => {
    await keepDecoded('k', dataset)
    const line = `deconfound decoded 1 ${'0'.repeat(64)} 999999999999\n`
    await writeFile(join(decodedFolder(), 'k.images'), line)
    expect(await readDecoded('k')).toBeUndefined()
  })

  it('removes what was not used for longest when there is too much', async () => {
    for (const [i, key] of ['a', 'b', 'c'].entries()) {
      await keepDecoded(key, dataset)
      await utimes(join(decodedFolder(), `${key}.images`), 1000 + i, 1000 + i)
    }
    const { length } = await readFile(join(decodedFolder(), 'a.images'))
    await readDecoded('a')
    await keepDecoded('d', dataset, 3 * length)
    expect((await readdir(decodedFolder())).sort()).toEqual(['a.images', 'c.images', 'd.images'])
    await keepDecoded('e', dataset, length - 1)
    expect((await readdir(decodedFolder())).sort()).toEqual(['a.images', 'c.images', 'd.images'])
  })

  it('removes what a killed process left, but not what another is writing', async () => {
    await keepDecoded('k', dataset)
    for (const name of ['old.tmp', 'new.tmp']) await writeFile(join(decodedFolder(), name), 'part')
    await utimes(join(decodedFolder(), 'old.tmp'), 1000, 1000)
    await keepDecoded('k', dataset)
    expect((await readdir(decodedFolder())).sort()).toEqual(['k.images', 'new.tmp'])
  })

  it('warns, and does no more, where nothing can be kept', async () => {
    vi.stubEnv('XDG_CACHE_HOME', join(home, 'file'))
    await writeFile(join(home, 'file'), '')
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    await keepDecoded('k', dataset)
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('Decoded images are not kept'))
    expect(await readDecoded('k')).toBeUndefined()
    warn.mockRestore()
  })
})
