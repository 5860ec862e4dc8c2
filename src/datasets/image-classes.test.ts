import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { z } from 'zod'
import { ownCache } from '../../test/own-cache.ts'
import { UserError } from '../errors.ts'
import { imageFolder } from './image-folder.ts'
import { refuseTooHigh } from './several-sets.ts'

// What a class folder is. A layout is a list of paths; those that end as images do are images.

let image: Buffer
let home: string
beforeAll(async () => {
  image = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#446688' } })
    .composite([{ input: Buffer.from([255, 0, 0]), raw: { width: 1, height: 1, channels: 3 }, left: 2, top: 2 }])
    .png()
    .toBuffer()
})
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'classes-'))
  ownCache(join(home, 'cache'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

function write(...paths: readonly string[]): void {
  for (const path of paths) {
    const at = join(home, 'data', path)
    mkdirSync(path.endsWith('/') ? at : dirname(at), { recursive: true })
    if (!path.endsWith('/')) writeFileSync(at, /\.(png|ppm)$/.test(path) ? image : 'text')
  }
}

async function look(options: z.input<typeof imageFolder.options> = {}) {
  const context = { data: join(home, 'data'), seed: 1, progress: () => undefined }
  const { train, test, problems, notes } = await imageFolder.load(
    imageFolder.options.parse({ size: 8, ...options }),
    context,
  )
  const passed = Object.fromEntries(problems.map(({ file, reason }) => [file, reason]))
  return { classes: train.classes, train: train.names, test: test?.names ?? null, passed, notes }
}

const of = (parent: string, names: readonly string[] = ['cat', 'dog']) => names.map((name) => `${parent}/${name}/1.png`)

describe('a folder that holds no images of a class', () => {
  it.each([
    ['our own runs', 'runs/1/config.yaml runs/1/kind runs/1/preview.png runs/2/config.yaml runs/2/kind', 'runs'],
    ['a run by itself', 'old/config.yaml old/kind old/preview.png', 'old'],
    ['the truth beside a poisoned set', 'p-truth/config.yaml p-truth/kind p-truth/preview.png', 'p-truth'],
    ['what an archive of macOS leaves', '__MACOSX/cat/._1.png __MACOSX/cat/1.png', '__MACOSX'],
    ['a hidden folder', '.thumbnails/1.png', '.thumbnails'],
    ['an empty folder', 'fox/', 'fox'],
    ['folders of nothing', 'fox/red/ fox/gray/', 'fox'],
    ['a folder of texts', 'labels/1.txt labels/2.txt', 'labels'],
  ])('is no class, and told: %s', async (_, paths, passed) => {
    write('cat/1.png', 'dog/1.png', ...paths.split(' '))
    const found = await look()
    expect(found.classes).toEqual(['cat', 'dog'])
    expect(Object.keys(found.passed)).toEqual([passed])
    expect(found.passed[passed]).toMatch(/^(it|there) /)
  })

  it('is none in a split either', async () => {
    write(...of('train'), 'train/runs/1/config.yaml', 'train/runs/1/kind', 'train/fox/', ...of('test'), 'test/.x/1.png')
    const { classes, passed } = await look()
    expect(classes).toEqual(['cat', 'dog'])
    expect(Object.keys(passed).sort()).toEqual(['test/.x', 'train/fox', 'train/runs'])
  })
})

describe('splits', () => {
  it.each([
    ['train', 'test'],
    ['Training', 'Testing'],
    ['TRAIN', 'TEST'],
    ['Train', 'Val'],
    ['training_set', 'test_set'],
    ['TrainingSet', 'TestSet'],
    ['train2017', 'val2017'],
    ['01-train', '02-valid'],
    ['seg_train/seg_train', 'seg_test/seg_test'],
    ['Final_Training/Images', 'Final_Test/Images'],
    ['GTSRB_Final_Training', 'GTSRB_Final_Test'],
    ['birds_train', 'birds_validation'],
  ])('are known by their usual names: %s and %s', async (train, test) => {
    write(...of(train), ...of(test))
    const found = await look()
    expect(found.classes).toEqual(['cat', 'dog'])
    expect(found.train).toEqual(of(train))
    expect(found.test).toEqual(of(test))
    expect(found.notes).toEqual([`the images are taken from "${train}"`, `the test images are taken from "${test}"`])
  })

  it('are known where the test images have no classes: trained on, and none to measure on', async () => {
    write(...of('Final_Training/Images', ['00000', '00001']), 'Final_Test/Images/1.ppm', 'Meta/0.png', 'Test.csv')
    const { classes, test, passed } = await look()
    expect([classes, test]).toEqual([['00000', '00001'], null])
    expect(Object.keys(passed).sort()).toEqual(['Final_Test', 'Meta', 'Test.csv'])
    expect(passed.Final_Test).toContain('unknown')
  })

  it('take test images from test before val, and say that val is not used', async () => {
    write(...of('train'), ...of('val'), ...of('test'))
    const { test, passed } = await look()
    expect(test).toEqual(of('test'))
    expect(passed.val).toContain('it is not used')
  })

  it('are known inside a folder of their own', async () => {
    write(...of('archive/data/Training'), ...of('archive/data/Testing'))
    expect((await look()).train).toEqual(of('archive/data/Training'))
  })

  it('may be a test folder among the classes that it tests', async () => {
    write('cat/1.png', 'dog/1.png', ...of('test'))
    const { classes, test } = await look()
    expect([classes, test]).toEqual([['cat', 'dog'], of('test')])
  })

  it('are refused without class folders', async () => {
    write('train/cat.1.png', 'train/dog.1.png', 'test1/1.png')
    await expect(look()).rejects.toThrow(/"train", "test1" look like splits, and hold no class folders\. Put the/)
  })

  it('are refused where a folder beside the training split is none', async () => {
    write(...of('train'), 'unlabelled/1.png')
    await expect(look()).rejects.toThrow(
      /"train" looks like a training split.*"unlabelled".*Give the folder "train" in it/,
    )
  })

  it('are refused where a test split without classes lies among class folders', async () => {
    write('cat/1.png', 'dog/1.png', 'test/1.png')
    await expect(look()).rejects.toThrow('"test" looks like a test split, and holds no class folders')
  })

  it.each([['bullet_train tram'], ['train bus'], ['valid invalid'], ['test_tube flask']])(
    'are not seen in classes of such names: %s',
    async (names) => {
      write(...names.split(' ').map((name) => `${name}/1.png`))
      expect((await look()).classes).toEqual(names.split(' ').sort())
    },
  )
})

describe('a level too high', () => {
  it.each([
    ['folds', [...of('fold1'), ...of('fold2')], 'folders of the same names (cat, dog)'],
    ['test and validation alone', [...of('test'), ...of('val')], 'folders of the same names (cat, dog)'],
    [
      'data sets',
      [...of('pets'), ...of('cars', ['bmw', 'vw']), ...of('flags', ['cu', 'fr'])],
      'hold nothing but folders',
    ],
    ['a data set of data sets', [...of('all/pets'), ...of('all/cars'), 'photos/1.png'], 'holds nothing but folders'],
    ['a data set of splits', [...of('pets/train'), ...of('pets/test'), 'photos/1.png'], 'holds nothing but folders'],
  ])('is refused: %s', async (_, paths, facts) => {
    write(...paths)
    await expect(look()).rejects.toThrow(UserError)
    await expect(look()).rejects.toThrow(facts)
    await expect(look()).rejects.toThrow(/Give one of them, or --dataset.nested true/)
  })

  it('is taken where somebody says so', async () => {
    write(...of('pets'), ...of('cars', ['bmw', 'vw']))
    expect((await look({ nested: true })).classes).toEqual(['cars', 'pets'])
  })

  it('is refused after many names of which next to none are images, and not before', () => {
    const names = (ending: string, count: number) => Array.from({ length: count }, (_, i) => `${i}.${ending}`)
    const hear = () => refuseTooHigh('home', Buffer.from('/home'))
    expect(() => hear()(names('txt', 50_001))).toThrow('of the first 50001 files and folders in it 0 are images')
    expect(() => hear()(names('txt', 50_000))).not.toThrow()
    const withLabels = hear()
    withLabels(names('png', 3000))
    expect(() => withLabels(names('txt', 55_000))).not.toThrow()
  })

  it('is refused at once for the whole machine', async () => {
    const context = { data: '/', seed: 1, progress: () => undefined }
    await expect(imageFolder.load(imageFolder.options.parse({}), context)).rejects.toThrow('root of the file system')
  })
})

describe('a name', () => {
  it('is one class in both forms that Unicode has for it', async () => {
    write(...of('train', ['caf\u00e9', 'dog']), ...of('test', ['cafe\u0301', 'dog']), 'train/cafe\u0301/2.png')
    const { classes, train, test, passed } = await look()
    expect(classes).toEqual(['caf\u00e9', 'dog'])
    expect([train.length, test?.length, passed]).toEqual([3, 2, {}])
  })
})

describe('links out of the folder', () => {
  it.each([
    ['class folders', 'by-folder', '2 links out of the folder are not followed'],
    ['images', 'by-file', '2 links out of the folder are not followed'],
  ])('are counted in the refusal: %s', async (_, kind, facts) => {
    mkdirSync(join(home, 'store/cat'), { recursive: true })
    write(kind === 'by-file' ? 'cat/' : './', kind === 'by-file' ? 'dog/' : './')
    for (const name of ['cat', 'dog']) {
      const at = join(home, 'data', kind === 'by-file' ? `${name}/1.png` : name)
      symlinkSync(join(home, 'store/cat'), at)
    }
    await expect(look()).rejects.toThrow(facts)
  })
})
