import { existsSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { type ImageSet, imageSet, subset } from '../training/images.ts'
import { binaryBatch, imageSize, knownClasses, listedClasses, pickledBatch, pickledClasses } from './cifar10-batch.ts'
import { defineDataset } from './dataset.ts'

/** The two forms CIFAR-10 is published in, and the folder each unpacks to. */
const forms = [
  { folder: 'cifar-10-batches-py', suffix: '', read: pickledBatch, meta: 'batches.meta', classes: pickledClasses },
  {
    folder: 'cifar-10-batches-bin',
    suffix: '.bin',
    read: binaryBatch,
    meta: 'batches.meta.txt',
    classes: listedClasses,
  },
] as const
/** names of the files, without the suffix of their form */
export const trainFiles = [1, 2, 3, 4, 5].map((number) => `data_batch_${number}`)
export const testFiles = ['test_batch']
/** what a file may have; the published ones have half of it */
export const mostBytes = 64 * 2 ** 20

/** CIFAR-10 as its authors publish it (A. Krizhevsky, 2009). */
export const cifar10 = defineDataset({
  title: 'CIFAR-10',
  source: 'https://www.cs.toronto.edu/~kriz/cifar.html',
  data: 'the folder with data_batch_1 to data_batch_5 and test_batch (python or .bin), or the folder around it',
  target: 0,
  flip: true,
  learningRate: 0.1,
  options: z.object({
    limit: z.int().min(0).default(0).describe('train on the first so many images only, to try things out; 0: on all'),
    heldOut: z
      .int()
      .min(0)
      .default(0)
      .describe(
        'train without the last so many training images and measure on them, not on the test images: to choose options by',
      ),
  }),
  recognizes: (path) => find(path) !== undefined,
  async load({ limit, heldOut }, { data, progress }) {
    if (data === undefined) {
      throw new UserError('usage', 'Cannot load CIFAR-10 from nowhere: give --data the folder with data_batch_1')
    }
    const found = find(data)
    if (found === undefined) throw notThere(data)
    const place: Place = { ...found, buffer: new Uint8Array(mostBytes), each: 0 }
    const classes = await readClasses(place)
    const notes = place.folder === data ? [] : [`the images are taken from "${place.folder}"`]
    let done = 0
    const onFile = () => progress(++done, trainFiles.length + testFiles.length)
    const train = await readSet(place, trainFiles, { classes, limit, onFile })
    const test = await readSet(place, testFiles, { classes, limit: 0, onFile })
    if (heldOut === 0) return { train, test, problems: [], notes }
    const count = train.labels.length
    if (heldOut >= count) {
      throw new UserError('usage', `Cannot hold out ${heldOut} of ${count} training images: give a smaller number`)
    }
    const places = Int32Array.from({ length: count }, (_, i) => i)
    const kept = count - heldOut
    return {
      train: subset(train, places.subarray(0, kept)),
      test: subset(train, places.subarray(kept)),
      problems: [],
      notes,
    }
  },
})

interface Found {
  readonly folder: string
  readonly form: (typeof forms)[number]
}

interface Place extends Found {
  /** every file is read into this and copied out: fresh memory for each would cost more time than the parsing */
  readonly buffer: Uint8Array
  /** how many images each file has: the same in all six, by which a file cut at a record's end is noticed */
  each: number
}

/** The batches in a folder, or in the folder of their own that they unpack to in it. */
function find(data: string): Found | undefined {
  const places = forms.flatMap((form) => [data, join(data, form.folder)].map((folder) => ({ folder, form })))
  return places.find(({ folder, form }) => existsSync(join(folder, trainFiles[0] + form.suffix)))
}

function notThere(data: string): UserError {
  const facts = existsSync(data) ? 'there is no data_batch_1 or data_batch_1.bin in it' : 'there is no such folder'
  return new UserError('data', `Cannot load CIFAR-10 from "${data}": ${facts}. Give the unpacked folder`)
}

async function readClasses({ folder, form, buffer }: Place): Promise<readonly string[]> {
  const path = join(folder, form.meta)
  return existsSync(path) ? form.classes(await readWhole(path, buffer), form.meta) : knownClasses
}

interface SetOptions {
  readonly classes: readonly string[]
  /** keep the first so many images; 0 for all */
  readonly limit: number
  readonly onFile: () => void
}

async function readSet(place: Place, files: readonly string[], options: SetOptions): Promise<ImageSet> {
  const { folder, form, buffer } = place
  let pixels = new Uint8Array()
  let labels = new Int32Array()
  const names: string[] = []
  for (const name of files) {
    const file = name + form.suffix
    const batch = form.read(await readWhole(join(folder, file), buffer), file)
    const found = batch.labels.length
    place.each ||= found
    if (found !== place.each) {
      const facts = `"${file}" holds ${found} images and "${trainFiles[0]}${form.suffix}" ${place.each}`
      throw new UserError(
        'data',
        `Cannot load CIFAR-10 from "${folder}": ${facts}, while all six files hold equally many. Unpack CIFAR-10 again`,
      )
    }
    if (labels.length === 0) {
      const all = found * files.length
      labels = new Int32Array(options.limit === 0 ? all : Math.min(options.limit, all))
      pixels = new Uint8Array(labels.length * imageSize)
    }
    const taken = Math.min(found, labels.length - names.length)
    pixels.set(batch.pixels.subarray(0, taken * imageSize), names.length * imageSize)
    labels.set(batch.labels.slice(0, taken), names.length)
    for (let i = 0; i < taken; i++) names.push(batch.names[i] as string)
    options.onFile()
  }
  return imageSet({ pixels, labels, names, shape: [3, 32, 32], classes: options.classes })
}

/** The file's bytes, at the start of `buffer`. */
async function readWhole(path: string, buffer: Uint8Array): Promise<Uint8Array> {
  try {
    // before opening: to open a FIFO is to wait for its writer
    if (!(await stat(path)).isFile()) throw new Error('it is not a file')
    const handle = await open(path)
    try {
      let length = 0
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length)
        if (bytesRead === 0) break
        length += bytesRead
      }
      if (length === buffer.length) throw new Error(`it has more than ${mostBytes} bytes`)
      return buffer.subarray(0, length)
    } finally {
      await handle.close()
    }
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    throw new UserError('data', `Cannot read "${path}": ${reason}. Unpack CIFAR-10 again`)
  }
}
