// Tiny data sets of every form, for tests.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parquetWriteBuffer } from 'hyparquet-writer'

/** A PPM of one color but for its pixels' noise, which follows from `seed`. */
export function ppm(width: number, height: number, seed: number): Buffer {
  const pixels = Uint8Array.from({ length: 3 * width * height }, (_, i) => (seed * 61 + ((i * 7) % 64)) % 256)
  return Buffer.concat([Buffer.from(`P6\n# made for a test\n${width} ${height}\n255\n`), pixels])
}

/** Writes a file and the folders above it. */
export async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}

const signHead = 'Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId'

/** GTSRB's folders: three classes of three tracks of two images of 20×18, and as many test images as classes. */
export async function writeSigns(folder: string): Promise<void> {
  for (const number of [0, 1, 2]) {
    const name = String(number).padStart(5, '0')
    const images = [0, 1, 2].flatMap((track) => [0, 1].map((frame) => ({ track, frame })))
    const lines: string[] = [signHead]
    for (const { track, frame } of images) {
      const file = `0000${track}_0000${frame}.ppm`
      await put(join(folder, 'Final_Training/Images', name, file), ppm(20, 18, number * 10 + track))
      lines.push(`${file};20;18;2;3;18;15;${number}`)
    }
    await put(join(folder, 'Final_Training/Images', name, `GT-${name}.csv`), `${lines.join('\r\n')}\r\n`)
  }
  const tests = [0, 1, 2].map((number) => ({ file: `0000${number}.ppm`, number }))
  for (const { file, number } of tests) await put(join(folder, 'Final_Test/Images', file), ppm(20, 18, number * 10))
  const lines = tests.map(({ file, number }) => `${file};20;18;2;3;18;15;${number}`)
  await put(join(folder, 'Final_Test/GT-final_test.csv'), [signHead, ...lines].join('\n'))
}

/** Two classes of ImageNet, a third folder that is in no list, and a class list in another order than the folders'. */
export async function writeImagenet(folder: string, each = 2): Promise<void> {
  for (const [k, name] of ['train/n01', 'train/n02', 'train/n03', 'val/n01', 'val/n02'].entries())
    for (let i = 0; i < each; i++) await put(join(folder, name, `${i}.ppm`), ppm(30, 20, 10 * k + i))
  await put(join(folder, 'classes.csv'), 'wnid,index,name\nn02,7,"dog, brown"\nn01,3,tench\n')
}

/** A list `photos.csv` of twelve training and three test images of three classes, and the images. */
export async function writeList(folder: string): Promise<void> {
  const lines = ['path,label,split']
  for (let i = 0; i < 15; i++) {
    await put(join(folder, `images/${i}.ppm`), ppm(20, 18, i))
    lines.push(`images/${i}.ppm,${['cat', 'dog', 'fox'][i % 3]},${i < 12 ? 'train' : 'test'}`)
  }
  await put(join(folder, 'photos.csv'), `${lines.join('\n')}\n`)
}

/** An entry of a tar archive: a header by POSIX.1-1988 with what `change` makes of it, and the content. */
export function tarEntry(
  name: string,
  content: string | Uint8Array,
  { type = '0', size, change }: { type?: string; size?: string; change?: (header: Buffer) => void } = {},
): Buffer {
  const bytes = Buffer.from(content)
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write('0000644\0', 100)
  header.write(size ?? `${bytes.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  header.write('00000000000\0', 136)
  header.write(type, 156)
  header.write('ustar\x0000', 257, 'latin1')
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  change?.(header)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

/** A whole archive. */
export const tarOf = (...entries: readonly Buffer[]) => Buffer.concat([...entries, Buffer.alloc(1024)])

/** Shards `train-000.tar`, `train-001.tar` and `val-000.tar` of six, six and three images of three classes. */
export async function writeShards(folder: string): Promise<void> {
  for (const [k, [name, count]] of Object.entries({ 'train-000': 6, 'train-001': 6, 'val-000': 3 }).entries()) {
    const entries = Array.from({ length: count }, (_, i) => [
      tarEntry(`${i}.ppm`, ppm(20, 18, 10 * k + i)),
      tarEntry(`${i}.cls`, String(i % 3)),
    ])
    await put(join(folder, `${name}.tar`), tarOf(...entries.flat()))
  }
}

/** A Parquet file of images as plain bytes and labels as words. */
export const parquetOf = (rows: readonly { readonly image: Uint8Array | null; readonly label: string | null }[]) =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'image', data: rows.map(({ image }) => image), type: 'BYTE_ARRAY', nullable: true },
        { name: 'label', data: rows.map(({ label }) => label), type: 'STRING', nullable: true },
      ],
    }),
  )

/** Files `train-00000-of-00001.parquet` and `test-00000-of-00001.parquet` of twelve and three images of three classes. */
export async function writeParquet(folder: string): Promise<void> {
  const rows = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ image: ppm(20, 18, i), label: ['cat', 'dog', 'fox'][i % 3] as string }))
  await put(join(folder, 'train-00000-of-00001.parquet'), parquetOf(rows(12)))
  await put(join(folder, 'test-00000-of-00001.parquet'), parquetOf(rows(3)))
}
