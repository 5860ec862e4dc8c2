import { copyFile, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { z } from 'zod'
import { parquetOf, ppm, put, writeParquet } from '../../test/data-examples.ts'
import { ownCache } from '../../test/own-cache.ts'
import { UserError } from '../errors.ts'
import { pixelsOf } from '../training/images.ts'
import { parquet } from './parquet.ts'

/** written by PyArrow, as test/golden/make_parquet.py says */
const golden = fileURLToPath(new URL('../../test/golden', import.meta.url))
const goldenPixel = (i: number, [x, y, c]: readonly [number, number, number]) =>
  (31 * i + 7 * (24 * y + 3 * x + c)) % 256

describe('parquet', () => {
  let home: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'parquet-'))
    ownCache(join(home, 'cache'))
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })

  const load = (data: string, options: z.input<typeof parquet.options> = {}) =>
    parquet.load(parquet.options.parse({ size: 8, ...options }), { data, seed: 1, progress: () => undefined })
  const rows = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ image: ppm(8, 8, i), label: String(i % 2) }))

  it('reads what PyArrow writes to the pixel: row groups, zstd, snappy, and the names of the classes', async () => {
    const { train, test, notes, problems } = await load(golden)
    expect(train.classes).toEqual(['zebra', 'ant', 'cat'])
    expect([...train.labels]).toEqual(Array.from({ length: 10 }, (_, i) => i % 3))
    expect(train.names[9]).toBe('train-00000-of-00001.parquet:9')
    for (const [i, place] of [
      [0, [0, 0, 0]],
      [3, [7, 2, 1]],
      [4, [1, 1, 2]],
      [9, [7, 7, 2]],
    ] as const) {
      const [x, y, c] = place
      expect(pixelsOf(train)[i * 192 + c * 64 + y * 8 + x]).toBe(goldenPixel(i, place))
    }
    expect([...(test?.labels ?? [])]).toEqual([1, 2, 0])
    expect(notes).toEqual([
      expect.stringMatching(/test-00000-of-00001.parquet" are in another order or others: they are matched by name/),
    ])
    expect(problems).toEqual([])
  })

  it('takes one file, a folder of files, and the folder data in a folder', async () => {
    await put(join(home, 'set.parquet'), parquetOf(rows(4)))
    const { train, test } = await load(join(home, 'set.parquet'))
    expect([train.classes, train.labels.length, test]).toEqual([['0', '1'], 4, null])
    await mkdir(join(home, 'hub', 'data'), { recursive: true })
    await rename(join(home, 'set.parquet'), join(home, 'hub', 'data', 'train-00000-of-00001.parquet'))
    expect(parquet.recognizes(join(home, 'hub'))).toBe(true)
    expect((await load(join(home, 'hub'))).train.hash).toBe(train.hash)
    expect(parquet.recognizes(home)).toBe(false)
  })

  it('takes no file by a link out of its folder', async () => {
    await put(join(home, 'elsewhere', 'b.parquet'), parquetOf(rows(4)))
    await put(join(home, 'in', 'a.parquet'), parquetOf(rows(4)))
    await symlink(join(home, 'elsewhere', 'b.parquet'), join(home, 'in', 'b.parquet'))
    expect((await load(join(home, 'in'))).train.labels.length).toBe(4)
  })

  it('tells rows without a usable image or label, each by its number', async () => {
    const broken = [
      { image: null, label: '0' },
      { image: Buffer.from('x'), label: '1' },
      { image: ppm(8, 8, 1), label: null },
    ]
    await put(join(home, 'set.parquet'), parquetOf([...rows(6), ...broken]))
    const { train, problems } = await load(join(home, 'set.parquet'))
    expect(train.labels.length).toBe(6)
    expect(problems).toEqual([
      { file: 'set.parquet:8', reason: 'it has no label' },
      { file: 'set.parquet:6', reason: 'its row holds no bytes of an image' },
      { file: 'set.parquet:7', reason: expect.stringContaining('no image that is known here') },
    ])
  })

  it('takes the column that it is told, and names the columns where none fits', async () => {
    await put(join(home, 'set.parquet'), parquetOf(rows(4)))
    await expect(load(join(home, 'set.parquet'), { label: 'kind' })).rejects.toThrow(
      'no column holds the labels "kind" among image, label. Give its name as --dataset.label',
    )
    expect((await load(join(home, 'set.parquet'), { label: 'label' })).train.labels.length).toBe(4)
  })

  it('refuses test labels that nothing is trained on', async () => {
    await writeParquet(home)
    await put(join(home, 'train-00000-of-00001.parquet'), parquetOf(rows(4)))
    await expect(load(home)).rejects.toThrow('test images have labels that no training image has: cat, dog, fox')
  })

  it('refuses what is no Parquet file, or a part of one', async () => {
    await put(join(home, 'a.parquet'), 'PAR1')
    await expect(load(join(home, 'a.parquet'))).rejects.toMatchObject({ code: 3 })
    const whole = await readFile(join(golden, 'train-00000-of-00001.parquet'))
    await put(join(home, 'a.parquet'), whole.subarray(0, 3000))
    await expect(load(join(home, 'a.parquet'))).rejects.toThrow(
      /Cannot read ".*a.parquet" as a Parquet file: .*download it again/,
    )
    await expect(load(join(home, 'b.parquet'))).rejects.toThrow('it does not exist')
  })

  it('gives images or a reason for any damage to a file', async () => {
    const whole = await readFile(join(golden, 'train-00000-of-00001.parquet'))
    await copyFile(join(golden, 'test-00000-of-00001.parquet'), join(home, 'test-0.parquet'))
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const copy = Buffer.from(whole)
        for (const [at, byte] of changes) copy[at] = byte
        await writeFile(join(home, 'train-0.parquet'), copy)
        const result = await load(home, { maxBroken: 1 }).catch((error: unknown) => error)
        if (result instanceof Error) expect(result).toBeInstanceOf(UserError)
      }),
      { numRuns: 100 },
    )
  }, 30_000)
})
