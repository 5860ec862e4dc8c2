// A tiny CIFAR-10 and a tiny CIFAR-100 for tests, in both published forms.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { imageSize } from './cifar-batch.ts'

export interface ExampleBatch {
  readonly pixels: Uint8Array
  readonly labels: readonly number[]
  readonly names: readonly string[]
}

/** Batch `number` with `count` images, whose bytes follow from both. */
export function exampleBatch(number: number, count: number): ExampleBatch {
  return {
    pixels: Uint8Array.from({ length: count * imageSize }, (_, i) => (i * 7 + number * 31 + (i >> 5)) % 256),
    labels: Array.from({ length: count }, (_, i) => (i + number) % 10),
    names: Array.from({ length: count }, (_, i) => `image_s_${number}_${i}.png`),
  }
}

/** Opcodes as Python 2 wrote them into the published files; `shape` may lie. `lists` are the labels by their keys. */
export function pickle(
  { pixels, labels, names }: ExampleBatch,
  shape = [labels.length, imageSize],
  lists: Readonly<Record<string, readonly number[]>> = { labels },
): Buffer {
  const [rows, columns] = shape.map((length) => [0x4a, ...uint32(length)])
  const array = [
    ...ascii('cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n'),
    0x4b,
    0,
    0x85,
    ...text('b'),
    0x87,
    0x52,
    0x28,
    0x4b,
    1,
    ...(rows as number[]),
    ...(columns as number[]),
    0x86,
    ...ascii('cnumpy\ndtype\n'),
    ...text('u1'),
    0x4b,
    0,
    0x4b,
    1,
    0x87,
    0x52,
    0x28,
    0x4b,
    3,
    ...text('|'),
    0x4e,
    0x4e,
    0x4e,
    ...minusOne,
    ...minusOne,
    0x4b,
    0,
    0x74,
    0x62,
    0x89,
    0x54,
    ...uint32(pixels.length),
  ]
  return Buffer.concat([
    Buffer.from([0x80, 2, 0x7d, 0x71, 1, 0x28, ...text('batch_label'), 0x71, 2, ...text('an example')]),
    ...Object.entries(lists).map(([key, list]) =>
      Buffer.from([...text(key), 0x5d, 0x72, 5, 0, 0, 0, 0x28, ...list.flatMap((label) => [0x4b, label]), 0x65]),
    ),
    Buffer.from([...text('data'), ...array]),
    pixels,
    Buffer.from([0x74, 0x62, ...text('filenames'), 0x5d, 0x28, ...names.flatMap(text), 0x65, 0x75, 0x2e]),
  ])
}

/** Writes the five training batches and the test batch of `count` images each to `folder`. */
export async function writeExample(folder: string, form: 'python' | 'binary', count: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (let number = 1; number <= 6; number++) {
    const batch = exampleBatch(number, count)
    const name = number === 6 ? 'test_batch' : `data_batch_${number}`
    const records = batch.labels.map((label, i) =>
      Buffer.concat([Buffer.from([label]), batch.pixels.subarray(i * imageSize, (i + 1) * imageSize)]),
    )
    if (form === 'python') await writeFile(join(folder, name), pickle(batch))
    else await writeFile(join(folder, `${name}.bin`), Buffer.concat(records))
  }
}

/** Writes CIFAR-100's files to `folder`, of 10 and 2 images; the fine label of an image is five times its coarse one. */
export async function writeHundred(folder: string, form: 'python' | 'binary'): Promise<void> {
  await mkdir(folder, { recursive: true })
  const names = {
    fine_label_names: Array.from({ length: 100 }, (_, k) => `class_${k}`),
    coarse_label_names: Array.from({ length: 20 }, (_, k) => `group_${k}`),
  }
  for (const [name, number, count] of [
    ['train', 1, 10],
    ['test', 2, 2],
  ] as const) {
    const batch = exampleBatch(number, count)
    const fine = batch.labels.map((label) => 5 * label)
    const records = batch.labels.map((label, i) =>
      Buffer.concat([Buffer.from([label, 5 * label]), batch.pixels.subarray(i * imageSize, (i + 1) * imageSize)]),
    )
    const lists = { fine_labels: fine, coarse_labels: batch.labels }
    if (form === 'python') await writeFile(join(folder, name), pickle(batch, undefined, lists))
    else await writeFile(join(folder, `${name}.bin`), Buffer.concat(records))
  }
  if (form === 'python') await writeFile(join(folder, 'meta'), pickledLists(names))
  else for (const [name, list] of Object.entries(names)) await writeFile(join(folder, `${name}.txt`), list.join('\n'))
}

function pickledLists(lists: Readonly<Record<string, readonly string[]>>): Buffer {
  const entries = Object.entries(lists).flatMap(([key, list]) => [
    ...text(key),
    0x5d,
    0x28,
    ...list.flatMap(text),
    0x65,
  ])
  return Buffer.from([0x80, 2, 0x7d, 0x28, ...entries, 0x75, 0x2e])
}

const minusOne = [0x4a, 0xff, 0xff, 0xff, 0xff]

/** SHORT_BINSTRING. */
export function text(value: string): number[] {
  return [0x55, value.length, ...ascii(value)]
}

function ascii(value: string): number[] {
  return [...Buffer.from(value, 'latin1')]
}

function uint32(value: number): number[] {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return [...bytes]
}
