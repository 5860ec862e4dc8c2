import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ownCache } from '../../test/own-cache.ts'
import { UserError } from '../errors.ts'
import { pickRows, rowReader } from '../training/rows.ts'
import { decodedFolder } from './decode-cache.ts'
import { decodeRows } from './decode-rows.ts'
import type { Encoded } from './encoded.ts'

const bytes = 12
/** 3,000 images make three blocks */
const count = 3000
const row = (i: number, seed = 1) => Uint8Array.from({ length: bytes }, (_, k) => (i * 7 + k * 3 + seed) % 251)
const images: readonly Encoded[] = Array.from({ length: count }, (_, i) => ({
  name: `a/\\x0a ${i}.png`,
  label: i % 2,
  stamp: '',
  read: async () => Buffer.from(String(i)),
}))

/** A decoder of images whose content is their number, and how many of them it decoded. */
function counting(decode: (i: number) => Uint8Array = row) {
  const seen: number[] = []
  const decoder = {
    version: '',
    async decode(content: Uint8Array) {
      const i = Number(Buffer.from(content).toString())
      seen.push(i)
      return decode(i)
    },
  }
  return { seen, way: { key: 'k', decoder, bytes, progress: () => undefined } }
}

describe('decoded images', () => {
  let home: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'decoded-'))
    ownCache(home)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })
  const at = (name: string) => join(decodedFolder(), 'k', name)

  async function soundly(decode?: (i: number) => Uint8Array): Promise<number[]> {
    const { seen, way } = counting(decode)
    const { rows } = await decodeRows(images, way)
    const read = rowReader(rows)
    expect(images.findIndex((_, i) => Buffer.compare(read(i), row(i)) !== 0)).toBe(-1)
    return seen
  }

  it('lie below the cache folder of the desktop standard, if that is absolute', () => {
    expect(decodedFolder()).toBe(join(home, 'deconfound', 'decoded'))
    vi.stubEnv('XDG_CACHE_HOME', 'relative')
    expect(decodedFolder()).toMatch(/^\/.*\.cache\/deconfound\/decoded$/)
  })

  it('are decoded once, and mapped into memory the next time', async () => {
    expect((await soundly()).length).toBe(count)
    expect(await soundly()).toEqual([])
    expect((await decodeRows(images, counting().way)).rows.mapped).toBe(true)
    expect((await readdir(join(decodedFolder(), 'k'))).sort()).toEqual(['blocks.jsonl', 'rows-0'])
  })

  it('are decoded again block by block where a byte is damaged or an end is missing', async () => {
    await soundly()
    const file = await readFile(at('rows-0'))
    for (const [place, block] of [
      [0, 0],
      [1024 * bytes - 1, 0],
      [1024 * bytes, 1],
      [file.length - 1, 2],
    ] as const) {
      const damaged = Buffer.from(file)
      damaged[place] = (damaged[place] as number) ^ 4
      await writeFile(at('rows-0'), damaged)
      const again = await soundly()
      expect(new Set(again.map((i) => Math.floor(i / 1024)))).toEqual(new Set([block]))
    }
    await truncate(at('rows-0'), 1500 * bytes)
    expect((await soundly()).length).toBe(count - 1024)
  })

  it('are decoded again where the journal is torn, damaged or speaks of other blocks', async () => {
    await soundly()
    const journal = await readFile(at('blocks.jsonl'), 'utf8')
    await writeFile(at('blocks.jsonl'), journal.slice(0, -5))
    expect((await soundly()).length).toBeLessThanOrEqual(1024)
    await writeFile(at('blocks.jsonl'), 'no\njournal\n')
    expect((await soundly()).length).toBe(count)
    await writeFile(at('blocks.jsonl'), journal.replaceAll('"block":', '"block":99'))
    expect((await soundly()).length).toBe(count)
  })

  it('go on at the block where decoding was broken off', async () => {
    await expect(
      soundly((i) => {
        if (i === 2500) throw new Error('cut off')
        return row(i)
      }),
    ).rejects.toThrow('cut off')
    const rest = await soundly()
    expect([Math.min(...rest), rest.length]).toEqual([2048, count - 2048])
  })

  it('tell each image that did not decode, now and from the cache', async () => {
    const torn = (i: number) => {
      if (i % 1000 === 7) throw new UserError('data', `torn ${i}`)
      return row(i)
    }
    const expected = [7, 1007, 2007].map((i) => [i, `torn ${i}`])
    for (const decode of [torn, row]) {
      const { rows, broken } = await decodeRows(images, counting(decode).way)
      expect([...broken]).toEqual(expected)
      expect(rowReader(pickRows(rows, [8]))(0)).toEqual(row(8))
    }
  })

  it('are not kept as broken where the file could not be read for the moment', async () => {
    const busy: Encoded = {
      ...(images[0] as Encoded),
      read: () => Promise.reject(new UserError('data', 'EIO')),
    }
    const first = await decodeRows([busy, ...images.slice(1)], counting().way)
    expect([...first.broken]).toEqual([[0, 'EIO']])
    expect(Math.max(...(await soundly()))).toBe(1023)
  })

  it('are held in memory, with a warning, where nothing can be kept', async () => {
    vi.stubEnv('XDG_CACHE_HOME', join(home, 'file'))
    await writeFile(join(home, 'file'), '')
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    await soundly()
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('Decoded images are not kept'))
    warn.mockRestore()
  })
})
