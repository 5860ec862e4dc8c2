import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { z } from 'zod'
import { put, writeImagenet } from '../../test/data-examples.ts'
import { ownCache } from '../../test/own-cache.ts'
import { imagenetSubset } from './imagenet-subset.ts'

describe('imagenetSubset', () => {
  let home: string
  let folder: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'imagenet-'))
    ownCache(join(home, 'cache'))
    folder = join(home, 'data')
    await writeImagenet(folder)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })

  const load = (options: z.input<typeof imagenetSubset.options> = {}, data = folder) =>
    imagenetSubset.load(imagenetSubset.options.parse(options), { data, seed: 1, progress: () => undefined })
  const list = async (text: string, name = 'list.txt') => {
    await put(join(home, name), text)
    return { classes: join(home, name) }
  }

  it('takes classes, their order and their names from the class list, at 64 pixels', async () => {
    const { train, test, problems, notes } = await load()
    expect(train.classes).toEqual(['dog, brown', 'tench'])
    expect(train.shape).toEqual([3, 64, 64])
    expect(train.names).toEqual(['train/n02/0.ppm', 'train/n02/1.ppm', 'train/n01/0.ppm', 'train/n01/1.ppm'])
    expect([...train.labels]).toEqual([0, 0, 1, 1])
    expect(test?.names[0]).toBe('val/n02/0.ppm')
    expect({ problems, notes }).toEqual({
      problems: [],
      notes: [`the classes are taken from "${join(folder, 'classes.csv')}"`],
    })
  })

  it.each([
    ['folders', 'n03\n# no more\nn01\n', ['n03', 'n01']],
    [
      'folders and names, as ILSVRC lists them',
      'n01 tench, Tinca tinca\r\nn03\tcrane\r\n',
      ['tench, Tinca tinca', 'crane'],
    ],
    ['two classes of one name', 'n02,crane\nn01,crane\n', ['crane (n02)', 'crane (n01)']],
    ['a header of other words', '\ufeffid,folder,label\n1,n02,a\n2,n01,\n', ['a', 'n01']],
  ])('reads a list of %s', async (_, text, names) => {
    expect((await load(await list(text))).train.classes).toEqual(names)
  })

  it('refuses a list that names absent folders', async () => {
    const given = await list('n01\nn77\nn02\nn78\n')
    await expect(load(given)).rejects.toMatchObject({
      code: 3,
      message: expect.stringContaining('names folders that are not in "train": n77, n78. Correct the list'),
    })
  })

  it.each([
    ['../n01\nn02', 'line 1: "../n01" is no folder\'s name'],
    ['n01\n\nn02\nn01', 'line 4: the folder "n01" is in the list twice'],
    ['n01', 'it holds 1 classes'],
    ['wnid\n__proto__\nn01', 'names folders that are not in "train": __proto__'],
  ])('refuses the list %j', async (text, reason) => {
    await expect(load(await list(text))).rejects.toThrow(reason)
  })

  it('says where there is no list, and no folder of training images', async () => {
    await rm(join(folder, 'classes.csv'))
    expect(imagenetSubset.recognizes(folder)).toBe(false)
    await expect(load()).rejects.toThrow('there is no classes.csv in it. Write one, or give --dataset.classes a list')
    await expect(load({}, home)).rejects.toThrow('there is no folder "train" in it')
  })

  it('leaves a folder with another classes.csv to others', async () => {
    await put(join(folder, 'classes.csv'), 'a,b\nc,d\n')
    expect(imagenetSubset.recognizes(folder)).toBe(false)
  })

  it('measures nothing on a split without the classes', async () => {
    await rm(join(folder, 'val'), { recursive: true })
    await put(join(folder, 'val/1.ppm'), 'x')
    const { test, notes } = await load()
    expect(test).toBeNull()
    expect(notes[1]).toBe('"val" is not used: it holds no folders of these classes with images')
  })

  it.skipIf(!existsSync('data/imagenette-128'))(
    'recognizes real images (skipped where data/imagenette-128 is not unpacked)',
    async () => {
      expect(imagenetSubset.recognizes('data/imagenette-128')).toBe(true)
      const { train, test } = await load(await list('n03888257\nn01440764'), 'data/imagenette-128')
      expect([train.labels.length, test?.labels.length]).toEqual([1120, 280])
    },
    60_000,
  )
})
