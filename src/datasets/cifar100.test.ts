import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { pixelsOf } from '../training/images.ts'
import { writeHundred } from './cifar-example.ts'
import { cifar100 } from './cifar100.ts'

const load = (data: string, options: z.input<typeof cifar100.options> = {}) =>
  cifar100.load(cifar100.options.parse(options), { data, seed: 1, progress: () => undefined })

describe('cifar100', () => {
  let home: string
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'cifar100-'))
    await writeHundred(join(home, 'cifar-100-python'), 'python')
    await writeHundred(join(home, 'binary'), 'binary')
  })
  afterAll(() => rm(home, { recursive: true }))

  it('gives the same images from both forms, and from the folder around them', async () => {
    const python = await load(home)
    const binary = await load(join(home, 'binary'))
    expect(binary.train.hash).toBe(python.train.hash)
    expect(binary.test?.hash).toBe(python.test?.hash)
    expect([python.train.labels.length, python.train.classes.length]).toEqual([10, 100])
    expect([...python.train.labels.subarray(0, 3)]).toEqual([5, 10, 15])
    expect([...pixelsOf(python.train).subarray(0, 3)]).toEqual([31, 38, 45])
  })

  it.each(['.', 'binary'])('tells the 20 groups apart where asked to (%s)', async (place) => {
    const { train } = await load(join(home, place), { labels: 'coarse' })
    expect([train.classes.length, train.classes[3]]).toEqual([20, 'group_3'])
    expect([...train.labels.subarray(0, 3)]).toEqual([1, 2, 3])
  })

  it('notices a file that was cut at the end of a record', async () => {
    const place = join(home, 'cut')
    await writeHundred(place, 'binary')
    await truncate(join(place, 'test.bin'), 3074)
    await expect(load(place)).rejects.toThrow('"test.bin" holds 1 images, and by "train.bin" it should hold 2')
  })

  it('leaves folders named train to others', async () => {
    await mkdir(join(home, 'split', 'train'), { recursive: true })
    await writeFile(join(home, 'split', 'meta'), '')
    expect(cifar100.recognizes(join(home, 'split'))).toBe(false)
    await expect(load(join(home, 'split'))).rejects.toThrow('there is no train or train.bin in it')
  })
})
