// A tiny CIFAR-10 for tests, in both published forms.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { imageSize } from './cifar10-batch.ts'

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

/** Opcodes as Python 2 wrote them into the published files; `shape` may lie. */
export function pickle({ pixels, labels, names }: ExampleBatch, shape = [labels.length, imageSize]): Buffer {
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
    Buffer.from([...text('labels'), 0x5d, 0x72, 5, 0, 0, 0, 0x28, ...labels.flatMap((label) => [0x4b, label]), 0x65]),
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
