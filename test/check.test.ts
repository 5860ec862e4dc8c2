import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { writeExample } from '../src/datasets/cifar-example.ts'
import { type Report, reportSchema } from '../src/experiment/check/report.ts'
import { liveTensors } from '../src/tensor/tensor.ts'
import { command } from './command.ts'

// `check` on folders with planted faults: each is named, and nothing is changed.

const home = mkdtempSync(join(tmpdir(), 'check-'))
liveTensors() // loads the addon, which lies in the cache that the next line hides
vi.stubEnv('XDG_CACHE_HOME', join(home, 'cache'))
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

const at = (...names: string[]) => join(home, ...names)

/** A picture of 6×6 random fields, different for each number. */
function picture(number: number, { width = 48, height = 48 } = {}) {
  let state = number * 2654435761 + 1
  const next = () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return state >>> 24
  }
  const fields = Buffer.from(Array.from({ length: 6 * 6 * 3 }, next))
  return sharp(fields, { raw: { width: 6, height: 6, channels: 3 } }).resize(width, height, { fit: 'fill' })
}

async function write(path: string, image: ReturnType<typeof picture>): Promise<void> {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, await (path.endsWith('.png') ? image.png() : image.jpeg({ quality: 92 })).toBuffer())
}

/** Two classes with test images, 20 and 5 of each, and nothing wrong. */
async function writeGood(folder: string): Promise<void> {
  let number = 0
  for (const split of ['train', 'test']) {
    for (const name of ['cat', 'dog']) {
      for (let i = 0; i < (split === 'train' ? 20 : 5); i++)
        await write(join(folder, split, name, `${i}.jpg`), picture(++number))
    }
  }
}

async function check(...words: string[]): Promise<{ code: number; report: Report & { error?: object } }> {
  const { code, out } = await command('check', ...words, '--json')
  const { error, ...report } = JSON.parse(out)
  return { code, report: { ...reportSchema.parse(report), ...(error && { error }) } }
}

const kindsOf = ({ findings }: Report) => findings.map(({ kind }) => kind)
const itemsOf = ({ findings }: Report, kind: string) => findings.find((each) => each.kind === kind)?.items ?? []
const filesOf = (report: Report, kind: string) =>
  itemsOf(report, kind).flatMap(({ images }) => images.map(({ file }) => file))

/** All files with their sizes and times. */
const listing = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).size} ${statSync(join(folder, name)).mtimeMs}`)

beforeAll(() => writeGood(at('good')))

describe('a good folder', () => {
  it('has no finding, and ends with 0', async () => {
    const { code, report } = await check(at('good'))
    expect(code).toBe(0)
    expect(report).toMatchObject({ refused: null, trainingImages: 40, testImages: 10, findings: [] })
    expect(report).toMatchObject({ dataset: 'image-folder', classes: { cat: 20, dog: 20 }, shape: [3, 32, 32] })
    const { out } = await command('check', at('good'))
    expect(out).toBe('Nothing wrong was found in 40 training images and 10 test images in 2 classes\n')
  })
})

describe('planted faults', () => {
  const train = (...names: string[]) => at('bad', 'train', ...names)
  let before: string[] = []
  let report: Report
  beforeAll(async () => {
    await writeGood(at('bad'))
    const whole = readFileSync(train('cat', '0.jpg'))
    writeFileSync(train('cat', 'cut.jpg'), whole.subarray(0, whole.length >> 1))
    writeFileSync(train('cat', 'none.jpg'), '')
    const broken = Buffer.from(await picture(301).png().toBuffer())
    broken.fill(0x55, 100, 180)
    writeFileSync(train('cat', 'broken.png'), broken)
    writeFileSync(train('cat', 'text.jpg'), 'this is a letter and no picture')
    writeFileSync(train('cat', 'png.jpg'), await picture(302).png().toBuffer())
    writeFileSync(train('cat', 'notes.txt'), 'notes')
    mkdirSync(train('empty'))
    copyFileSync(train('cat', '1.jpg'), train('cat', 'copy.jpg'))
    copyFileSync(train('cat', '2.jpg'), train('dog', 'copy.jpg'))
    copyFileSync(train('dog', '3.jpg'), at('bad', 'test', 'dog', 'copy.jpg'))
    await write(train('dog', 'lossless.png'), sharp(train('dog', '4.jpg')))
    await write(train('dog', 'again.jpg'), sharp(train('dog', '5.jpg')).resize(40, 40).jpeg({ quality: 60 }))
    await write(at('bad', 'test', 'cat', 'lighter.jpg'), sharp(train('cat', '6.jpg')).linear(1.1, 4))
    await write(train('dog', 'wide.jpg'), picture(303, { width: 200, height: 48 }))
    await write(train('dog', 'small.jpg'), picture(304, { width: 20, height: 20 }))
    before = listing(at('bad'))
    ;({ report } = await check(at('bad')))
  })

  it('are remarks where training is possible', () => {
    expect(report.refused).toBeNull()
    expect(report.trainingImages).toBe(47)
  })

  it.each([
    ['truncated', ['train/cat/cut.jpg', 'train/cat/none.jpg']],
    ['unreadable', ['train/cat/broken.png']],
    ['wrong-type', ['train/cat/text.jpg', 'train/cat/png.jpg']],
    ['left-out', ['train/cat/notes.txt']],
    ['empty-class', ['train/empty']],
    ['odd-size', ['train/dog/small.jpg', 'train/dog/wide.jpg']],
  ])('are named: %s', (kind, files) => {
    expect(filesOf(report, kind)).toEqual(files)
  })

  it('are named: copies, with what lies between them', () => {
    const groups = itemsOf(report, 'exact-duplicates').map(({ images, across, says }) => ({
      files: images.map(({ file }) => file),
      across,
      says,
    }))
    const bytes = '2 files of the same bytes'
    expect(groups).toEqual([
      { files: ['train/cat/1.jpg', 'train/cat/copy.jpg'], across: [], says: bytes },
      { files: ['train/cat/2.jpg', 'train/dog/copy.jpg'], across: ['classes'], says: bytes },
      { files: ['train/dog/3.jpg', 'test/dog/copy.jpg'], across: ['splits'], says: bytes },
      { files: ['train/dog/4.jpg', 'train/dog/lossless.png'], across: [], says: '2 images of the same pixels' },
    ])
  })

  it('are named: near copies', () => {
    const groups = itemsOf(report, 'near-duplicates').map(({ images, across }) => ({
      files: images.map(({ file }) => file),
      across,
    }))
    expect(groups).toEqual([
      { files: ['train/cat/6.jpg', 'test/cat/lighter.jpg'], across: ['splits'] },
      { files: ['train/dog/5.jpg', 'train/dog/again.jpg'], across: [] },
    ])
  })

  it('are all of the kinds that were planted', () => {
    expect(kindsOf(report)).toEqual([
      'unreadable',
      'truncated',
      'wrong-type',
      'left-out',
      'empty-class',
      'exact-duplicates',
      'near-duplicates',
      'odd-size',
    ])
  })

  it('are told to a person with a verdict first and some examples each, and nothing is changed', async () => {
    const { code, out } = await command('check', at('bad'))
    expect(code).toBe(0)
    expect(out).toMatch(/^Training is possible, with 8 kinds of remarks on 47 training images and 12 test images/)
    expect(out).toContain('train/cat/2.jpg (cat), train/dog/copy.jpg (dog)')
    expect(listing(at('bad'))).toEqual(before)
  })
})

describe('a class that can be told without looking', () => {
  it('is named, with numbers: here by the format and the size of files', async () => {
    for (let i = 0; i < 24; i++) {
      await write(at('telltale', 'cat', `${i}.png`), picture(400 + i))
      await write(at('telltale', 'dog', `${i}.jpg`), picture(500 + i, { width: 64, height: 48 }))
    }
    const { code, report } = await check(at('telltale'))
    expect(code).toBe(0)
    expect(kindsOf(report)).toEqual(['label-clue'])
    const clues = itemsOf(report, 'label-clue').map(({ classes, figures }) => [classes[0], figures?.property])
    expect(clues).toContainEqual(['dog', 'format'])
    expect(clues).toContainEqual(['cat', 'size in pixels'])
    for (const { figures } of itemsOf(report, 'label-clue')) expect(figures?.accuracy).toBeGreaterThan(0.95)
  })
})

describe('imbalance', () => {
  it('is told by class', async () => {
    for (let i = 0; i < 30; i++) await write(at('few', 'cat', `${i}.jpg`), picture(600 + i))
    for (let i = 0; i < 4; i++) await write(at('few', 'dog', `${i}.jpg`), picture(700 + i))
    const { code, report } = await check(at('few'))
    expect(code).toBe(0)
    expect(itemsOf(report, 'imbalance')).toMatchObject([{ classes: ['dog'], figures: { images: 4, largest: 30 } }])
  })
})

describe('data that would be refused', () => {
  it('end with 3, say why, and name what else is wrong', async () => {
    for (let i = 0; i < 4; i++) await write(at('one', 'cat', `${i}.jpg`), picture(800 + i))
    copyFileSync(at('one', 'cat', '0.jpg'), at('one', 'cat', 'copy.jpg'))
    writeFileSync(at('one', 'cat', 'notes.txt'), 'notes')
    mkdirSync(at('one', 'dog'))
    const { code, report } = await check(at('one'))
    expect(code).toBe(3)
    expect(report.refused).toContain('only one class folder')
    expect(report).toMatchObject({ trainingImages: null, classes: null, error: { code: 3 } })
    expect(filesOf(report, 'empty-class')).toEqual(['dog'])
    expect(filesOf(report, 'exact-duplicates')).toEqual(['cat/0.jpg', 'cat/copy.jpg'])
    const { out, error } = await command('check', at('one'))
    expect(out).toMatch(/^Training would be refused/)
    expect(error).toContain('only one class folder')
  })

  it('name every unusable file, not the first alone', async () => {
    for (const name of ['cat', 'dog']) {
      for (let i = 0; i < 2; i++)
        await write(at('broken', name, `whole-${i}.jpg`), picture((name === 'cat' ? 900 : 950) + i))
      for (let i = 0; i < 3; i++) writeFileSync(at('broken', name, `${i}.jpg`), `letter ${i}`)
    }
    const { code, report } = await check(at('broken'))
    expect([code, filesOf(report, 'wrong-type').length]).toEqual([3, 6])
    const { code: allowed } = await check(at('broken'), '--dataset.max-broken', '0.9')
    expect(allowed).toBe(0)
  })

  it('need not be there', async () => {
    const { code, report } = await check(at('nowhere'))
    expect([code, report.findings]).toEqual([3, []])
    expect(report.refused).toContain('it does not exist')
  })
})

describe('data without files', () => {
  it('are looked at as well: the one whose example images repeat has copies in training and test images', async () => {
    await writeExample(at('cifar-10-batches-py'), 'python', 40)
    const { code, report } = await check(at('cifar-10-batches-py'))
    expect([code, report.dataset, report.testImages]).toEqual([0, 'cifar10', 40])
    const { report: drawn } = await check('--dataset', 'signs', '--dataset.train', '60', '--dataset.test', '12')
    expect([drawn.dataset, drawn.data]).toEqual(['signs', null])
  })

  const real = 'data/cifar-10-batches-py'
  it.skipIf(!existsSync(real))(
    'CIFAR-10, where it is in data/, has near copies of test images among the first training images',
    async () => {
      const { report } = await check(real, '--dataset.limit', '10000')
      const leaks = itemsOf(report, 'near-duplicates').filter(({ across }) => across?.includes('splits'))
      expect(leaks.length).toBeGreaterThan(10)
      expect(itemsOf(report, 'near-duplicates').every(({ classes }) => classes.length === 1)).toBe(true)
    },
  )
})
