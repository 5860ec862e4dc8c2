import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UserError } from '../errors.ts'
import { pixelsOf } from '../training/images.ts'
import { type CifarLabels, pickledBatch } from './cifar-batch.ts'
import { exampleBatch, pickle, text, writeExample } from './cifar-example.ts'
import { readPickle } from './cifar-pickle.ts'
import { cifar10 } from './cifar10.ts'

const real = fileURLToPath(new URL('../../data/cifar-10-batches-py', import.meta.url))
const missing = !existsSync(join(real, 'test_batch'))

/** made by test/golden/make_pickles.py */
const pickles: Record<string, string> = JSON.parse(
  readFileSync(new URL('../../test/golden/pickles.json', import.meta.url), 'utf8'),
)

const ten: CifarLabels = { key: 'labels', names: 'label_names', bytes: 1, at: 0, classes: 10 }

const load = (data: string | undefined, limit = 0) =>
  cifar10.load(cifar10.options.parse({ limit }), { data, seed: 1, progress: () => undefined })

/** what comes out, or the user's error; any other error passes */
function attempt<Result>(action: () => Result): Result | UserError {
  try {
    return action()
  } catch (error) {
    if (error instanceof UserError) return error
    throw error
  }
}

describe('readPickle', () => {
  const read = (...codes: readonly number[]) => attempt(() => readPickle(Buffer.from(codes), 'batch'))
  const bytes = (value: string) => [...Buffer.from(value, 'latin1')]

  it('reads plain values', () => {
    const value = read(0x80, 2, 0x7d, 0x28, ...text('a'), 0x5d, 0x28, 0x4b, 7, 0x4d, 1, 2, 0x65, 0x75, 0x2e)
    expect(value).toEqual(new Map([['a', [7, 513]]]))
  })

  it.each([
    ['a global that would run a command', [...bytes('cos\nsystem\n'), ...text('ls'), 0x85, 0x52, 0x2e], '"os system"'],
    ['a call of something that is no global', [...text('os'), ...text('ls'), 0x85, 0x52, 0x2e], 'no array of bytes'],
    ['a class that would be made', [0x8c, 2, ...bytes('os'), 0x8c, 6, ...bytes('system'), 0x93, 0x2e], '"os system"'],
    ['an opcode of other pickles', [0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0x2e], 'opcode 0x47'],
    ['a value that was not kept', [0x4b, 1, 0x71, 0, 0x68, 1, 0x2e], 'a value 1 that it has not kept'],
    ['a number that is none', [...bytes('Inf\n'), 0x2e], '"nf" is no whole number'],
    ['text of 2^63 bytes', [0x8e, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x2e], '9223372036854776000 more bytes'],
    ['a line without end', bytes('I12'), 'a line has no end'],
    ['text longer than the file', [0x54, 0xff, 0xff, 0xff, 0x7f, 0x2e], '2147483647 more bytes'],
    ['text of negative length', [0x54, 0xff, 0xff, 0xff, 0xff, 0x2e], '-1 more bytes'],
    ['the end of an empty file', [], 'more bytes'],
    ['a missing value', [0x2e], 'a value is missing'],
    ['a missing mark', [0x74, 0x2e], 'a mark is missing'],
    ['a value behind a mark', [0x4b, 1, 0x28, 0x85, 0x2e], 'a value is missing'],
    ['a key twice', [0x7d, 0x28, ...text('a'), 0x4e, ...text('a'), 0x4e, 0x75, 0x2e], 'comes twice'],
    ['more values than a batch has', [...new Array(400_001).fill(0x5d), 0x2e], 'more than 400000 values'],
  ])('refuses %s', (_, codes, reason) => {
    const result = attempt(() => readPickle(Buffer.from(codes), 'batch'))
    expect(result).toBeInstanceOf(UserError)
    expect((result as UserError).message).toContain(reason)
  })

  it.each(Object.entries(pickles))('reads what Python 3 writes: protocol %s keys', (_, packed) => {
    const { pixels, labels, names } = pickledBatch(inflateSync(Buffer.from(packed, 'base64')), 'batch', ten)
    expect([...pixels]).toEqual(Array.from({ length: 3072 }, (_, i) => (7 * i + 31) % 256))
    expect([[...labels], names]).toEqual([[8], ['a.png']])
  })

  it('means nothing by a key named __proto__', () => {
    const value = read(0x7d, 0x28, ...text('__proto__'), 0x5d, 0x75, 0x2e)
    expect(value).toEqual(new Map([['__proto__', []]]))
    expect(({} as { length?: number }).length).toBeUndefined()
  })

  it.each([
    [[2, 3072], 'labels'],
    [[3, 3071], 'dimensions'],
    [[0x7fffffff, 0x7fffffff], 'dimensions'],
    [[0, 3072], 'dimensions'],
    [[0xffffffff, 3072], 'dimensions'],
    [[9216, 1], '3072 bytes for each'],
  ])('refuses an array that says it is %s', (shape, reason) => {
    const batch = { ...exampleBatch(1, 3), ...(reason === 'labels' ? { pixels: new Uint8Array(2 * 3072) } : {}) }
    const result = attempt(() => pickledBatch(pickle(batch, shape), 'batch', ten))
    expect(result).toBeInstanceOf(UserError)
    expect((result as UserError).message).toContain(reason)
  })

  it('gives a batch or a reason for any damage to a file', () => {
    const whole = pickle(exampleBatch(1, 3))
    const structure = [...whole.keys()].filter((at) => at < 300 || at > whole.length - 120)
    const change = fc.tuple(fc.constantFrom(...structure), fc.nat(255))
    const damaged = fc.tuple(fc.array(change, { maxLength: 4 }), fc.option(fc.nat(whole.length)))
    fc.assert(
      fc.property(damaged, ([changes, length]) => {
        const copy = Buffer.from(whole.subarray(0, length ?? whole.length))
        for (const [at, byte] of changes) if (at < copy.length) copy[at] = byte
        const result = attempt(() => pickledBatch(copy, 'batch', ten))
        if (!(result instanceof UserError)) expect(result.pixels.length).toBe(3072 * result.labels.length)
      }),
      { numRuns: 2000 },
    )
  })

  it('gives a value or a reason for any opcodes', () => {
    const python2 = [
      0x80, 0x71, 0x72, 0x7d, 0x5d, 0x28, 0x4e, 0x89, 0x4b, 0x4d, 0x4a, 0x55, 0x54, 0x63, 0x85, 0x86, 0x87,
    ]
    const python3 = [
      0x95, 0x94, 0x70, 0x61, 0x73, 0x6c, 0x64, 0x29, 0x49, 0x4c, 0x43, 0x8c, 0x42, 0x58, 0x56, 0x67, 0x93,
    ]
    const both = [0x74, 0x65, 0x75, 0x52, 0x62, 0x68, 0x6a, 0x8d, 0x8e, 0x96, 0x2e]
    const code = fc.oneof(fc.constantFrom(...python2, ...python3, ...both), fc.nat(255))
    const names = [
      'numpy\nndarray',
      'numpy\ndtype',
      'numpy.core.multiarray\n_reconstruct',
      'numpy.core.numeric\n_frombuffer',
    ]
    const words = fc.constantFrom(...names, '_codecs\nencode').map((name) => `c${name}\n`)
    const part = fc.oneof(
      code.map((one) => [one]),
      words.map(bytes),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        read(...parts.flat())
      }),
      { numRuns: 2000 },
    )
  })
})

describe('cifar10', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cifar10-'))
    await writeExample(join(folder, 'both', 'cifar-10-batches-py'), 'python', 4)
    await writeExample(join(folder, 'binary', 'cifar-10-batches-bin'), 'binary', 4)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('gives the same images from both forms, and from the folder around them', async () => {
    const python = await load(join(folder, 'both'))
    const binary = await load(join(folder, 'binary', 'cifar-10-batches-bin'))
    expect(binary.train.hash).toBe(python.train.hash)
    expect(binary.test?.hash).toBe(python.test?.hash)
    expect(python.train.labels.length).toBe(20)
    expect(python.train.names[5]).toBe('image_s_2_1.png')
    expect(binary.train.names[5]).toBe('data_batch_2.bin:1')
  })

  it('keeps the first training images where there is a limit, and every test image', async () => {
    const { train, test } = await load(join(folder, 'both'), 6)
    const all = await load(join(folder, 'both'))
    expect(train.names).toEqual(all.train.names.slice(0, 6))
    expect(pixelsOf(train)).toEqual(pixelsOf(all.train).slice(0, 6 * 3072))
    expect(test?.hash).toBe(all.test?.hash)
    expect((await load(join(folder, 'both'), 1000)).train.hash).toBe(all.train.hash)
  })

  it('measures on the last training images where some are held out, and not on the test images', async () => {
    const held = (heldOut: number) =>
      cifar10.load(cifar10.options.parse({ heldOut }), {
        data: join(folder, 'both'),
        seed: 1,
        progress: () => undefined,
      })
    const all = await load(join(folder, 'both'))
    const { train, test } = await held(6)
    expect(train.names).toEqual(all.train.names.slice(0, 14))
    expect(test?.names).toEqual(all.train.names.slice(14))
    expect(test && pixelsOf(test)).toEqual(pixelsOf(all.train).slice(14 * 3072))
    await expect(held(20)).rejects.toThrow('Cannot hold out 20 of 20 training images: give a smaller number')
  })

  it('takes the names of the classes from the list beside the batches', async () => {
    const place = join(folder, 'named')
    await writeExample(place, 'binary', 1)
    await writeFile(join(place, 'batches.meta.txt'), 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n')
    expect((await load(place)).train.classes.join('')).toBe('abcdefghij')
    await writeFile(join(place, 'batches.meta.txt'), 'a\nb\n')
    await expect(load(place)).rejects.toThrow('does not name 10 classes')
  })

  it.each([
    ['nothing', undefined, 'give --data'],
    ['a folder that is not there', '/nowhere/at/all', 'there is no such folder'],
    ['another folder', tmpdir(), 'there is no data_batch_1'],
  ])('refuses %s', async (_, data, reason) => {
    await expect(load(data)).rejects.toThrow(UserError)
    await expect(load(data)).rejects.toThrow(reason)
  })

  it('refuses a file that was cut short, also between two images', async () => {
    const place = join(folder, 'cut')
    await writeExample(place, 'python', 2)
    await truncate(join(place, 'data_batch_3'), 5000)
    await expect(load(place)).rejects.toThrow(/"data_batch_3".*byte \d+ of 5000.*Unpack/)
    await rm(place, { recursive: true })
    await writeExample(place, 'binary', 2)
    await truncate(join(place, 'data_batch_3.bin'), 3073)
    await expect(load(place)).rejects.toThrow(
      '"data_batch_3.bin" holds 1 images, and by "data_batch_1.bin" it should hold 2',
    )
    await truncate(join(place, 'data_batch_3.bin'), 3072)
    await expect(load(place)).rejects.toThrow('3072 bytes are not a whole number of records')
    await rm(join(place, 'data_batch_3.bin'))
    await expect(load(place)).rejects.toThrow('data_batch_3.bin": ENOENT')
  })

  it.skipIf(missing)('loads the published files (skipped where data/cifar-10-batches-py is not unpacked)', async () => {
    const started = performance.now()
    const { train, test } = await load(dirname(real))
    expect(performance.now() - started).toBeLessThan(10_000)
    expect([train.labels.length, test?.labels.length]).toEqual([50_000, 10_000])
    // python: pickle.load of data_batch_1, data[0][:3], labels[:5], filenames[0]
    expect([...pixelsOf(train).subarray(0, 3)]).toEqual([59, 43, 50])
    expect([...train.labels.subarray(0, 5)]).toEqual([6, 9, 9, 4, 1])
    expect(train.names[0]).toBe('leptodactylus_pentadactylus_s_000004.png')
    expect(train.classes[9]).toBe('truck')
    for (let label = 0; label < 10; label++) expect(train.labels.filter((found) => found === label)).toHaveLength(5000)
  })
})
