// The folders that CIFAR-10 and CIFAR-100 are published in, each in a python form and a binary one.
import { existsSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { type ImageSet, imageSet, subset } from '../training/images.ts'
import { binaryBatch, type CifarLabels, imageSize, listedClasses, pickledBatch, pickledClasses } from './cifar-batch.ts'
import type { Dataset, LoadContext } from './dataset.ts'
import { isFile } from './place.ts'

const forms = {
  python: { suffix: '', read: pickledBatch, classes: pickledClasses },
  binary: { suffix: '.bin', read: binaryBatch, classes: listedClasses },
} as const
type Form = keyof typeof forms

/** How one of them is published. */
export interface Publication {
  readonly title: string
  /** the folder that each form unpacks to */
  readonly folders: Readonly<Record<Form, string>>
  /** the file with the classes' names */
  readonly meta: Readonly<Record<Form, string>>
  /** names of the files, without the suffix of their form */
  readonly train: readonly string[]
  readonly test: readonly string[]
  /** how many times the images of a test file a training file holds */
  readonly parts: number
  /** what a file may have */
  readonly mostBytes: number
  readonly labels: CifarLabels
  /** the classes of a folder without the file of their names; null where such a folder is not taken */
  readonly known: readonly string[] | null
}

/** The options of both. */
export const cifarShape = {
  limit: z.int().min(0).default(0).describe('train on the first so many images only, to try things out; 0: on all'),
  heldOut: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'train without the last so many training images and measure on them, not on the test images: to choose options by',
    ),
}
type CifarOptions = z.output<z.ZodObject<typeof cifarShape>>

interface Found {
  readonly folder: string
  readonly form: Form
}

/** The files in a folder, or in the folder of their own that they unpack to in it. */
export function findCifar({ folders, train, meta, known }: Publication, data: string): Found | undefined {
  const places = (Object.keys(forms) as Form[]).flatMap((form) =>
    [data, join(data, folders[form])].map((folder) => ({ folder, form })),
  )
  return places.find(({ folder, form }) => {
    const named = known !== null || isFile(join(folder, meta[form]))
    return named && isFile(join(folder, train[0] + forms[form].suffix))
  })
}

/** The images of a publication in the user's folder. */
export async function loadCifar(
  publication: Publication,
  { limit, heldOut }: CifarOptions,
  { data, progress }: LoadContext,
): Promise<Dataset> {
  const { title, train: trainFiles, test: testFiles, mostBytes, parts } = publication
  const [first] = trainFiles
  if (data === undefined) {
    throw new UserError('usage', `Cannot load ${title} from nowhere: give --data the folder with ${first}`)
  }
  const found = findCifar(publication, data)
  if (found === undefined) {
    const facts = existsSync(data) ? `there is no ${first} or ${first}.bin in it` : 'there is no such folder'
    throw new UserError('data', `Cannot load ${title} from "${data}": ${facts}. Give the unpacked folder`)
  }
  const place: Place = { ...publication, ...found, buffer: new Uint8Array(mostBytes), each: 0 }
  const classes = await readClasses(place)
  const notes = place.folder === data ? [] : [`the images are taken from "${place.folder}"`]
  let done = 0
  const onFile = () => progress(++done, trainFiles.length + testFiles.length)
  const train = await readSet(place, trainFiles, { classes, limit, onFile, parts })
  const test = await readSet(place, testFiles, { classes, limit: 0, onFile, parts: 1 })
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
}

interface Place extends Publication, Found {
  /** every file is read into this and copied out: fresh memory for each would cost more time than the parsing */
  readonly buffer: Uint8Array
  /** how many images a test file has: the files' sizes are known multiples, so a file cut at a record's end is noticed */
  each: number
}

async function readClasses({ folder, form, meta, labels, known, buffer }: Place): Promise<readonly string[]> {
  const path = join(folder, meta[form])
  if (known !== null && !existsSync(path)) return known
  return forms[form].classes(await readWhole(path, buffer), meta[form], labels)
}

interface SetOptions {
  readonly classes: readonly string[]
  /** keep the first so many images; 0 for all */
  readonly limit: number
  /** how many times the images of a test file each of these files holds */
  readonly parts: number
  readonly onFile: () => void
}

async function readSet(place: Place, files: readonly string[], options: SetOptions): Promise<ImageSet> {
  const { folder, form, buffer } = place
  const { suffix, read } = forms[form]
  let pixels = new Uint8Array()
  let labels = new Int32Array()
  const names: string[] = []
  for (const name of files) {
    const file = name + suffix
    const batch = read(await readWhole(join(folder, file), buffer), file, place.labels)
    const found = batch.labels.length
    place.each ||= found / options.parts
    if (found !== place.each * options.parts) throw unequal(place, { file, found, wanted: place.each * options.parts })
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

function unequal(
  { folder, form, title, train, parts }: Place,
  { file, found, wanted }: { file: string; found: number; wanted: number },
): UserError {
  const facts = `"${file}" holds ${found} images, and by "${train[0]}${forms[form].suffix}" it should hold ${wanted}`
  const rule =
    parts === 1 ? 'all files hold equally many' : `the training file holds ${parts} times as many as the test file`
  return new UserError(
    'data',
    `Cannot load ${title} from "${folder}": ${facts}, since ${rule}. Unpack its archive again`,
  )
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
      if (length === buffer.length) throw new Error(`it has more than ${buffer.length} bytes`)
      return buffer.subarray(0, length)
    } finally {
      await handle.close()
    }
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    throw new UserError('data', `Cannot read "${path}": ${reason}. Unpack its archive again`)
  }
}
