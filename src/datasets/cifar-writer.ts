import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { UserError } from '../errors.ts'
import { type ImageSet, pixelsOf } from '../training/images.ts'
import { imageSize } from './cifar-batch.ts'
import { mostBytes, testFiles, trainFiles } from './cifar10.ts'
import type { ImageSets } from './dataset.ts'
import { nameBytes } from './file-names.ts'
import type { DatasetWriter } from './writer.ts'

const record = imageSize + 1
const files = [...trainFiles, ...testFiles].map((name) => `${name}.bin`)

/** The six files of CIFAR-10's binary form and batches.meta.txt, as `cifar10` reads them; test images as they are. */
export const cifarWriter: DatasetWriter = {
  title: "CIFAR-10's binary files",
  check(dataset) {
    const facts = problemOf(dataset)
    if (facts) throw new UserError('usage', `Cannot write CIFAR batches: ${facts}; choose --format folders`)
  },
  async write(folder, { train, test }, progress) {
    const count = train.labels.length
    const each = count / trainFiles.length
    for (const [k, file] of files.entries()) {
      const set = k < trainFiles.length ? train : (test as ImageSet)
      writeFileSync(join(folder, file), records(set, k < trainFiles.length ? k * each : 0, each))
      progress(Math.min((k + 1) * each, count), count)
      await setImmediate()
    }
    const lines = train.classes.map((name) => Buffer.concat([nameBytes(name), Buffer.from('\n')]))
    writeFileSync(join(folder, 'batches.meta.txt'), Buffer.concat(lines))
    return Array.from({ length: count }, (_, i) => `${files[Math.floor(i / each)]}:${i % each}`)
  },
}

/** Why these images do not fit the form; undefined where they do. */
function problemOf({ train, test }: ImageSets): string | undefined {
  const { shape, classes, labels } = train
  const each = labels.length / trainFiles.length
  if (shape.join() !== '3,32,32') return `the images are ${shape.join('×')}, and theirs 3×32×32`
  if (classes.length !== 10) return `there are ${classes.length} classes, and theirs are ten`
  if (!test) return 'there are no test images for the sixth file'
  if (each === 0 || test.labels.length !== each) {
    return `there are ${labels.length} training and ${test.labels.length} test images, and all six files hold equally many`
  }
  if (each * record >= mostBytes) return `${each} images to a file make it larger than ${mostBytes} bytes`
  return undefined
}

/** A label byte and the pixels of each of `count` images. */
function records(set: ImageSet, from: number, count: number): Uint8Array {
  const places = Int32Array.from({ length: count }, (_, k) => from + k)
  const pixels = pixelsOf(set, places)
  const bytes = new Uint8Array(count * record)
  for (const [k, i] of places.entries()) {
    bytes[k * record] = set.labels[i] as number
    bytes.set(pixels.subarray(k * imageSize, (k + 1) * imageSize), k * record + 1)
  }
  return bytes
}
