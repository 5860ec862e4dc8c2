import { existsSync } from 'node:fs'
import { appendFile, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { z } from 'zod'
import { ppm, put, writeSigns } from '../../test/data-examples.ts'
import { ownCache } from '../../test/own-cache.ts'
import { pixelsOf } from '../training/images.ts'
import { gtsrb } from './gtsrb.ts'
import { readPpm } from './ppm.ts'

describe('gtsrb', () => {
  let home: string
  let folder: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'gtsrb-'))
    ownCache(join(home, 'cache'))
    folder = join(home, 'GTSRB')
    await writeSigns(folder)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })

  const load = (options: z.input<typeof gtsrb.options> = {}, data = folder) =>
    gtsrb.load(gtsrb.options.parse(options), { data, seed: 1, progress: () => undefined })

  it('takes classes from the folders and the test images from their list', async () => {
    const { train, test, problems, notes } = await load()
    expect(train.classes).toEqual(['0', '1', '2'])
    expect(train.shape).toEqual([3, 32, 32])
    expect([...train.labels]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2])
    expect(train.names[1]).toBe('Final_Training/Images/00000/00000_00001.ppm')
    expect([...(test?.labels ?? [])]).toEqual([0, 1, 2])
    expect({ problems, notes }).toEqual({ problems: [], notes: [] })
  })

  it('is found in the folder around it too', async () => {
    expect(gtsrb.recognizes(folder)).toBe(true)
    expect(gtsrb.recognizes(home)).toBe(true)
    expect(gtsrb.recognizes(join(home, 'cache'))).toBe(false)
    expect((await load({}, home)).notes).toEqual([`the images are taken from "${folder}"`])
  })

  it('takes the names of the classes from signnames.csv', async () => {
    await put(join(folder, 'signnames.csv'), 'ClassId,SignName\n2,Speed limit (20km/h)\n1,"Ice/snow, ahead"\n')
    expect((await load()).train.classes).toEqual(['0', 'ice or snow, ahead', 'speed limit 20'])
    await appendFile(join(folder, 'signnames.csv'), '5,Speed limit 20\n')
    await expect(load()).rejects.toThrow(/signnames.csv", line 4: it says again what stood above/)
  })

  it('keeps the images of a track in one group, and tracks of one number in two classes apart', async () => {
    const { groups } = (await load()).train
    expect(groups?.length).toBe(18)
    expect(new Set(groups).size).toBe(9)
    for (let i = 0; i < 18; i += 2) expect(groups?.[i]).toBe(groups?.[i + 1])
  })

  it('holds out whole tracks, the last of each class, and measures on them', async () => {
    const { train, test } = await load({ heldOut: 1 })
    expect(train.names.some((name) => name.includes('/00002_'))).toBe(false)
    expect(test?.names.every((name) => name.includes('/00002_'))).toBe(true)
    expect([train.labels.length, test?.labels.length]).toEqual([12, 6])
    await expect(load({ heldOut: 3 })).rejects.toThrow('Cannot hold out 3 tracks of each class: "0" has 3')
  })

  it('cuts signs out of images of the size that their list states', async () => {
    const { pixels } = readPpm(ppm(20, 18, 0))
    // two pixels from the left and three from the top, 16×12: the middle 12×12 of it is brought to 12×12
    const [left, top, width] = [2 + 2, 3, 20]
    const { train } = await load({ crop: true, size: 12 })
    for (const [x, y] of [
      [0, 0],
      [11, 11],
      [5, 2],
    ] as const) {
      const place = 3 * ((y + top) * width + x + left)
      expect([0, 1, 2].map((c) => pixelsOf(train)[c * 144 + y * 12 + x])).toEqual([
        ...pixels.subarray(place, place + 3),
      ])
    }
  })

  it('crops no resized images, and says so', async () => {
    await writeFile(join(folder, 'Final_Training/Images/00000/00000_00000.ppm'), ppm(32, 32, 4))
    const { train, notes } = await load({ crop: true })
    expect(notes).toEqual([expect.stringContaining('no image is cropped')])
    expect(train.hash).toBe((await load({ crop: false })).train.hash)
  })

  it('says where the classes of the test images are missing, and sets none apart itself', async () => {
    await rename(join(folder, 'Final_Test/GT-final_test.csv'), join(home, 'GT-final_test.csv'))
    const { test, notes } = await load()
    expect(test).toBeNull()
    expect(notes).toEqual([expect.stringContaining('there is no GT-final_test.csv, which holds their classes')])
    await rename(join(home, 'GT-final_test.csv'), join(folder, 'GT-final_test.csv'))
    expect((await load()).test?.labels.length).toBe(3)
  })

  it('tells images and lines that do not fit, each by its name', async () => {
    await appendFile(
      join(folder, 'Final_Test/GT-final_test.csv'),
      '\n00001.ppm;20;18;2;3;18;15;1\nx;1\n00009.ppm;20;18;2;3;18;15;1',
    )
    for (const name of ['00007.ppm', 'readme.txt']) await put(join(folder, 'Final_Test/Images', name), 'x')
    await put(join(folder, 'Final_Training/Images/00001/broken.ppm'), 'P6 9 9 255\n')
    await symlink('/etc/passwd', join(folder, 'Final_Training/Images/00001/link.ppm'))
    const { problems } = await load()
    expect(problems).toEqual(
      expect.arrayContaining([
        { file: 'Final_Test/GT-final_test.csv:5', reason: 'the image is in the list twice' },
        { file: 'Final_Test/GT-final_test.csv:6', reason: 'it is not a name and seven numbers' },
        { file: 'Final_Test/Images/00007.ppm', reason: 'it is not in Final_Test/GT-final_test.csv' },
        { file: 'Final_Test/Images/00009.ppm', reason: 'it is in Final_Test/GT-final_test.csv, and not there' },
        { file: 'Final_Training/Images/00001/broken.ppm', reason: expect.stringContaining('cut short') },
        { file: 'Final_Training/Images/00001/link.ppm', reason: 'it is a link out of the folder' },
      ]),
    )
    expect(problems.length).toBe(6)
  })

  it('refuses folders without GTSRB, and lists without its columns', async () => {
    await expect(load({}, join(home, 'nothing'))).rejects.toThrow('there is no such folder')
    await writeFile(join(folder, 'Final_Test/GT-final_test.csv'), 'Filename,ClassId\n')
    await expect(load()).rejects.toThrow('there is no column Filename, Width')
  })

  it.skipIf(!existsSync('data/GTSRB'))(
    'loads the published files (skipped where data/GTSRB is not unpacked)',
    async () => {
      vi.unstubAllEnvs()
      const { train, test } = await load({}, 'data/GTSRB')
      expect([train.labels.length, test?.labels.length, train.classes.length]).toEqual([35_219, 12_630, 43])
      expect(new Set(train.groups).size).toBe(1174)
    },
    60_000,
  )
})
