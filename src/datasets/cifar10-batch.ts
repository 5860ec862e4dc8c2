// One file of CIFAR-10, from its bytes in either of the two forms it is published in.
import { UserError } from '../errors.ts'
import { type Pickled, PickledArray, readPickle } from './cifar10-pickle.ts'
import { showName } from './file-names.ts'

/** The ten classes, for a folder without batches.meta. */
export const knownClasses: readonly string[] = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
]

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
export function pickledBatch(bytes: Uint8Array, file: string): CifarBatch {
  const batch = dictionary(bytes, file)
  const labels = batch.get('labels')
  const data = batch.get('data')
  if (!(data instanceof PickledArray) || data.dimensions.length !== 2 || data.dimensions[1] !== imageSize) {
    return refuse(file, `"data" is not an array of ${imageSize} bytes for each image`)
  }
  const count = data.dimensions[0] as number
  const names = batch.get('filenames') ?? Array.from({ length: count }, (_, i) => Buffer.from(`${file}:${i}`))
  if (!Array.isArray(labels) || labels.length !== count) return refuse(file, `"labels" is not a list of ${count}`)
  if (!Array.isArray(names) || names.length !== count) return refuse(file, `"filenames" is not a list of ${count}`)
  return {
    pixels: data.bytes,
    labels: Uint8Array.from(labels, (label: Pickled, i) => checkLabel(label, { file, image: i })),
    names: names.map((name) => (name instanceof Uint8Array ? showName(name) : refuse(file, 'a file name is no text'))),
  }
}

/** The images in a binary batch: records of a label byte and 3,072 pixel bytes. */
export function binaryBatch(bytes: Uint8Array, file: string): CifarBatch {
  const record = imageSize + 1
  const count = Math.floor(bytes.length / record)
  if (count === 0 || bytes.length % record !== 0) {
    return refuse(file, `${bytes.length} bytes are not a whole number of records of ${record}`)
  }
  const pixels = new Uint8Array(count * imageSize)
  const labels = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    labels[i] = checkLabel(bytes[i * record], { file, image: i })
    pixels.set(bytes.subarray(i * record + 1, (i + 1) * record), i * imageSize)
  }
  return { pixels, labels, names: Array.from(labels, (_, i) => `${file}:${i}`) }
}

/** The names of the classes in batches.meta. */
export function pickledClasses(bytes: Uint8Array, file: string): readonly string[] {
  const names = dictionary(bytes, file).get('label_names')
  if (!Array.isArray(names)) return refuse(file, '"label_names" is not a list')
  return checkClasses(
    names.map((name) => (name instanceof Uint8Array ? showName(name) : '')),
    file,
  )
}

/** The names of the classes in batches.meta.txt, one to a line. */
export function listedClasses(bytes: Uint8Array, file: string): readonly string[] {
  const lines = Buffer.from(bytes).toString('latin1').split(/\r?\n/)
  return checkClasses(
    lines.filter((line) => line !== '').map((line) => showName(Buffer.from(line, 'latin1'))),
    file,
  )
}

function checkClasses(names: readonly string[], file: string): readonly string[] {
  if (names.length !== 10 || names.includes('') || new Set(names).size !== 10) {
    return refuse(file, 'it does not name ten classes')
  }
  return names
}

function checkLabel(label: Pickled | undefined, { file, image }: { file: string; image: number }): number {
  const valid = typeof label === 'number' && label >= 0 && label <= 9
  return valid ? label : refuse(file, `the label of image ${image} is not from 0 to 9`)
}

function dictionary(bytes: Uint8Array, file: string): ReadonlyMap<string, Pickled> {
  const value = readPickle(bytes, file)
  return value instanceof Map ? value : refuse(file, 'it holds no dictionary')
}

function refuse(file: string, reason: string): never {
  throw new UserError(
    'data',
    `Cannot read "${file}" as a part of CIFAR-10: ${reason}. Unpack CIFAR-10 again, or write class folders`,
  )
}
