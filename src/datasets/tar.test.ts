import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { link, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { z } from 'zod'
import { ppm, put, tarEntry, tarOf, writeShards } from '../../test/data-examples.ts'
import { ownCache } from '../../test/own-cache.ts'
import { UserError } from '../errors.ts'
import { pixelsOf } from '../training/images.ts'
import { readSlice } from './slice.ts'
import { openTar } from './tar/entries.ts'
import { tar } from './tar.ts'

describe('tar', () => {
  let home: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'tar-'))
    ownCache(join(home, 'cache'))
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })

  const load = (data: string, options: z.input<typeof tar.options> = {}) =>
    tar.load(tar.options.parse({ size: 16, ...options }), { data, seed: 1, progress: () => undefined })
  const loadOf = async (...entries: readonly Buffer[]) => {
    await put(join(home, 's.tar'), tarOf(...entries))
    return load(join(home, 's.tar'), { maxBroken: 1 })
  }
  const good = [0, 1, 2].flatMap((i) => [tarEntry(`${i}.ppm`, ppm(16, 16, i)), tarEntry(`${i}.cls`, String(i % 2))])

  it.each(['v7', 'ustar', 'gnu', 'oldgnu', 'pax'])(
    'gives the images that GNU tar packed as %s, from their places',
    async (format) => {
      const long = `${'deep/'.repeat(format === 'v7' ? 1 : 30)}image`
      const letters = ['b', 'a', 'b']
      for (const [i, letter] of letters.entries()) {
        await put(join(home, 'in', `${long}${i}.x.ppm`), 'no image: its ending is x.ppm')
        await put(join(home, 'in', `${long}${i}.ppm`), ppm(16, 16, i))
        await put(join(home, 'in', `${long}${i}.txt`), `${letter}\n`)
      }
      execFileSync('tar', ['--format', format, '-cf', join(home, 's.tar'), '-C', join(home, 'in'), '--sort=name', '.'])
      const { train, problems } = await load(join(home, 's.tar'))
      expect(train.names).toEqual(letters.map((_, i) => `./${long}${i}.ppm`))
      expect([train.classes, [...train.labels]]).toEqual([
        ['a', 'b'],
        [1, 0, 1],
      ])
      const pixels = ppm(16, 16, 1).subarray(-768)
      expect(pixelsOf(train)[768 + 256]).toBe(pixels[1])
      expect(new Set(problems.map(({ reason }) => reason))).toEqual(
        new Set(['it is neither an image nor a label by its name']),
      )
    },
  )

  it('takes splits from the names of shards, and the same shards from a folder or a list in braces', async () => {
    await writeShards(join(home, 'shards'))
    const { train, test, problems } = await load(join(home, 'shards'))
    expect(train.names.slice(5, 7)).toEqual(['train-000.tar/5.ppm', 'train-001.tar/0.ppm'])
    expect(test?.names).toEqual(['val-000.tar/0.ppm', 'val-000.tar/1.ppm', 'val-000.tar/2.ppm'])
    expect(problems).toEqual([])
    const list = join(home, 'shards', 'train-{000..001}.tar')
    expect(tar.recognizes(list)).toBe(true)
    expect((await load(list)).train.hash).toBe(train.hash)
    await expect(load('{0..99999}-{0..99999}.tar')).rejects.toThrow('its braces stand for 10000000000 archives')
    await expect(load(join(home, 'shards', 'train-{000..012}.tar'))).rejects.toThrow(
      /11 of 13 archives are not there; the first is ".*train-002.tar"/,
    )
    await put(join(home, 'shards', 'other.tar'), tarOf())
    expect((await load(join(home, 'shards'))).problems).toEqual([
      { file: expect.stringContaining('other.tar'), reason: 'it is not used: its name says no split' },
    ])
  })

  it('takes labels from .cls, .json and .txt, in this order', async () => {
    const { train } = await loadOf(
      ...good,
      tarEntry('3.ppm', ppm(16, 16, 3)),
      tarEntry('3.json', '{"label": 10, "caption": "x"}'),
      tarEntry('4.ppm', ppm(16, 16, 4)),
      tarEntry('4.txt', '2'),
      tarEntry('4.json', '{"label": "9"}'),
    )
    expect(train.classes).toEqual(['0', '1', '9', '10'])
    expect([...train.labels]).toEqual([0, 1, 0, 3, 2])
  })

  it('tells what it passes over, each by its name', async () => {
    const { problems, train } = await loadOf(
      ...good,
      tarEntry('0.ppm', ppm(16, 16, 7)),
      tarEntry('0.png', 'x'),
      tarEntry('5.ppm', ppm(16, 16, 5)),
      tarEntry('6.ppm', ppm(16, 16, 6)),
      tarEntry('6.txt', 'a cat\nand a dog'),
      tarEntry('7.ppm', '', { type: '2' }),
      tarEntry('8.ppm', '', { type: '3' }),
      tarEntry('dir/', '', { type: '5' }),
      tarEntry('.hidden.ppm', 'x'),
      tarEntry('9.ppm', 'P6 1 1'),
      tarEntry('9.json', '{"label":0}'),
      tarEntry('../x\ny.md', 'x'),
    )
    expect(train.labels.length).toBe(3)
    expect(problems.map(({ file, reason }) => [file, reason])).toEqual([
      ['5.ppm', 'it has no label: there is no .cls, .json or .txt of its name'],
      ['6.ppm', 'its .txt holds a text, no label'],
      ['0.ppm', 'it comes twice in the archive'],
      ['0.png', '"0.ppm" is taken for its key'],
      ['7.ppm', 'it is a link, and links are not followed'],
      ['8.ppm', 'it is no file'],
      ['../x\\x0ay.md', 'it is neither an image nor a label by its name'],
      ['9.ppm', expect.stringContaining('cut short')],
    ])
  })

  it.each([
    [
      'a wrong checksum',
      tarEntry('a.ppm', 'x', { change: (header) => header.fill(7, 300, 301) }),
      "the header's checksum is wrong (byte 7680 of",
    ],
    [
      'more content than there is',
      tarEntry('a.ppm', 'x', { size: '77777777777\0' }),
      'it ends where 8589934591 bytes of "a.ppm" should follow',
    ],
    [
      '2^63 bytes of content',
      tarEntry('a.ppm', 'x', { size: '\x80\0\0\0\x80\0\0\0\0\0\0\0' }),
      "the entry's size is no number",
    ],
    [
      'a negative size',
      tarEntry('a.ppm', 'x', { size: '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' }),
      "the entry's size is no number",
    ],
    ['a size in letters', tarEntry('a.ppm', 'x', { size: 'abc' }), "the entry's size is no number"],
    ['a broken extended header', tarEntry('a', '99 path=x\n', { type: 'x' }), 'an extended header is broken'],
    [
      'an extended size of more than there is',
      tarEntry('a', '20 size=99999999999\n', { type: 'x' }),
      'bytes of "b.ppm" should follow',
    ],
  ])('refuses an archive with %s', async (_, entry, reason) => {
    await expect(loadOf(...good, entry, tarEntry('b.ppm', 'x'))).rejects.toThrow(reason)
  })

  it('refuses an archive that is cut short, compressed, empty or none', async () => {
    await put(join(home, 's.tar'), tarOf(...good))
    await truncate(join(home, 's.tar'), 4000)
    await expect(load(join(home, 's.tar'))).rejects.toThrow(/it has no end.*download it again/)
    await truncate(join(home, 's.tar'), 3500)
    await expect(load(join(home, 's.tar'))).rejects.toThrow(/it ends where \d+ bytes of "1.ppm" should follow/)
    await put(join(home, 's.tar.gz'), gzipSync(tarOf(...good)))
    expect(tar.recognizes(join(home, 's.tar.gz'))).toBe(true)
    await expect(load(join(home, 's.tar.gz'))).rejects.toThrow(
      'it is compressed by gzip, and images are read from its middle. Decompress it (gunzip)',
    )
    await put(join(home, 'e.tar'), '')
    await expect(load(join(home, 'e.tar'))).rejects.toThrow('it is empty')
    await expect(load(join(home, 'none.tar'))).rejects.toThrow('it does not exist')
  })

  it('gives no image of an archive that has become shorter since, and decodes anew what has changed', async () => {
    const path = join(home, 's.tar')
    await put(path, tarOf(...good))
    await expect(readSlice({ path, at: 8000, length: 5000 })).rejects.toThrow('has become shorter')
    const { train } = await load(path)
    await put(
      path,
      tarOf(...[3, 4, 2].flatMap((i) => [tarEntry(`${i}.ppm`, ppm(16, 16, i)), tarEntry(`${i}.cls`, String(i % 2))])),
    )
    expect((await load(path)).train.hash).not.toBe(train.hash)
  })

  it('takes no archive by a link out of its folder, and leaves folders of folders to others', async () => {
    await writeShards(join(home, 'a'))
    await put(join(home, 'b', 'train-000.tar'), await readFile(join(home, 'a', 'train-000.tar')))
    await symlink(join(home, 'a', 'train-001.tar'), join(home, 'b', 'train-001.tar'))
    await link(join(home, 'a', 'val-000.tar'), join(home, 'b', 'val-000.tar'))
    expect((await load(join(home, 'b'))).train.labels.length).toBe(6)
    expect(tar.recognizes(home)).toBe(false)
    await put(join(home, 'b', 'class', '1.png'), '')
    expect(tar.recognizes(join(home, 'b'))).toBe(false)
  })

  it('never speaks of a place outside of the archive, whatever its bytes are', async () => {
    const whole = tarOf(
      ...good,
      tarEntry('l', `${'n'.repeat(120)}\0`, { type: 'L' }),
      tarEntry('n', 'x'),
      tarEntry('p', '12 path=a.b\n', { type: 'x' }),
      tarEntry('q', 'y'),
    )
    const path = join(home, 'fuzz.tar')
    const headers = Array.from({ length: whole.length / 512 }, (_, i) => 512 * i)
    const change = fc.record({
      at: fc.constantFrom(...headers).chain((at) => fc.nat(511).map((i) => at + i)),
      byte: fc.nat(255),
      mend: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 6 }), fc.option(fc.nat(whole.length)), async (changes, length) => {
        const copy = Buffer.from(whole)
        for (const { at, byte, mend } of changes) {
          copy[at] = byte
          if (mend) mendChecksum(copy.subarray(at - (at % 512), at - (at % 512) + 512))
        }
        await writeFile(path, copy.subarray(0, length ?? copy.length))
        const archive = openTar(path)
        try {
          for await (const { at, size } of archive.entries())
            expect(at + size).toBeLessThanOrEqual(length ?? copy.length)
        } catch (error) {
          expect(error).toBeInstanceOf(UserError)
        } finally {
          archive.close()
        }
      }),
      { numRuns: 400 },
    )
  }, 20_000)
})

function mendChecksum(header: Buffer): void {
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
}

it('finds 20,000 images in an archive within seconds', async () => {
  const home = mkdtempSync(join(tmpdir(), 'tar-'))
  const path = join(home, 'big.tar')
  const pair = [tarEntry('0.ppm', Buffer.alloc(3000)), tarEntry('0.cls', '1')]
  writeFileSync(path, tarOf(...Array.from({ length: 20_000 }, () => pair).flat()))
  const archive = openTar(path)
  const began = performance.now()
  let count = 0
  for await (const { size } of archive.entries()) count += size > 100 ? 1 : 0
  archive.close()
  rmSync(home, { recursive: true })
  expect(count).toBe(20_000)
  expect(performance.now() - began).toBeLessThan(4000)
})
