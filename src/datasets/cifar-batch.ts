// One file of CIFAR-10 or CIFAR-100, from its bytes in either of the two forms they are published in.
import { UserError } from '../errors.ts'
import { type Pickled, PickledArray, readPickle } from './cifar-pickle.ts'
import { showName } from './file-names.ts'

/** Where the labels are in the files of a publication, and how many classes they tell apart. */
export interface CifarLabels {
  /** the key of the labels in a python file, and of the classes' names in its meta file */
  readonly key: string
  readonly names: string
  /** how many bytes stand before the pixels of a binary record, and which of them is the label */
  readonly bytes: number
  readonly at: number
  readonly classes: number
}

/** Bytes of an image: red, green, blue, each 32×32. */
export const imageSize = 3072

/** The images of one file. */
export interface CifarBatch {
  /** uint8, [count, 3, 32, 32] */
  readonly pixels: Uint8Array
  readonly labels: Uint8Array
  readonly names: readonly string[]
}

/** The images in a python batch; a UserError where the file is anything else. */
export function pickledBatch(bytes: Uint8Array, file: string, { key, classes }: CifarLabels): CifarBatch {
  const batch = dictionary(bytes, file)
  const labels = batch.get(key)
  const data = batch.get('data')
  if (!(data instanceof PickledArray) || data.dimensions.length !== 2 || data.dimensions[1] !== imageSize) {
    return refuse(file, `"data" is not an array of ${imageSize} bytes for each image`)
  }
  const count = data.dimensions[0] as number
  const names = batch.get('filenames') ?? Array.from({ length: count }, (_, i) => Buffer.from(`${file}:${i}`))
  if (!Array.isArray(labels) || labels.length !== count) return refuse(file, `"${key}" is not a list of ${count}`)
  if (!Array.isArray(names) || names.length !== count) return refuse(file, `"filenames" is not a list of ${count}`)
  return {
    pixels: data.bytes,
    labels: Uint8Array.from(labels, (label: Pickled, i) => checkLabel(label, { file, image: i, classes })),
    names: names.map((name) => (name instanceof Uint8Array ? showName(name) : refuse(file, 'a file name is no text'))),
  }
}

/** The images in a binary batch: records of one or two label bytes and 3,072 pixel bytes. */
export function binaryBatch(bytes: Uint8Array, file: string, form: CifarLabels): CifarBatch {
  const { classes } = form
  const record = imageSize + form.bytes
  const count = Math.floor(bytes.length / record)
  if (count === 0 || bytes.length % record !== 0) {
    return refuse(file, `${bytes.length} bytes are not a whole number of records of ${record}`)
  }
  const pixels = new Uint8Array(count * imageSize)
  const labels = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    labels[i] = checkLabel(bytes[i * record + form.at], { file, image: i, classes })
    pixels.set(bytes.subarray(i * record + form.bytes, (i + 1) * record), i * imageSize)
  }
  return { pixels, labels, names: Array.from(labels, (_, i) => `${file}:${i}`) }
}

/** The names of the classes in a python meta file. */
export function pickledClasses(bytes: Uint8Array, file: string, form: CifarLabels): readonly string[] {
  const names = dictionary(bytes, file).get(form.names)
  if (!Array.isArray(names)) return refuse(file, `"${form.names}" is not a list`)
  const shown = names.map((name) => (name instanceof Uint8Array ? showName(name) : ''))
  return checkClasses(shown, file, form)
}

/** The names of the classes in a text file, one to a line. */
export function listedClasses(bytes: Uint8Array, file: string, form: CifarLabels): readonly string[] {
  const lines = Buffer.from(bytes).toString('latin1').split(/\r?\n/)
  const shown = lines.filter((line) => line !== '').map((line) => showName(Buffer.from(line, 'latin1')))
  return checkClasses(shown, file, form)
}

function checkClasses(names: readonly string[], file: string, { classes }: CifarLabels): readonly string[] {
  if (names.length !== classes || names.includes('') || new Set(names).size !== classes) {
    return refuse(file, `it does not name ${classes} classes`)
  }
  return names
}

interface Where {
  readonly file: string
  readonly image: number
  readonly classes: number
}

function checkLabel(label: Pickled | undefined, { file, image, classes }: Where): number {
  const valid = typeof label === 'number' && label >= 0 && label < classes
  return valid ? label : refuse(file, `the label of image ${image} is not from 0 to ${classes - 1}`)
}

function dictionary(bytes: Uint8Array, file: string): ReadonlyMap<string, Pickled> {
  const value = readPickle(bytes, file)
  return value instanceof Map ? value : refuse(file, 'it holds no dictionary')
}

function refuse(file: string, reason: string): never {
  throw new UserError(
    'data',
    `Cannot read "${file}" as a part of CIFAR: ${reason}. Unpack its archive again, or write class folders`,
  )
}
