import { mkdirSync, writeFileSync } from 'node:fs'
import { UserError } from '../errors.ts'
import { rowReader } from '../training/rows.ts'
import { treePath } from './folder-tree.ts'
import type { DatasetWriter } from './writer.ts'

/** how many images are encoded at a time: enough to keep Node's threads busy */
const together = 8

/** FOLDER/<class>/<number>.png, lossless, as `image-folder` reads it; the training images alone. */
export const foldersWriter: DatasetWriter = {
  title: 'a folder of PNG files for each class',
  check({ train: { shape, classes } }) {
    const [channels, height, width] = shape
    if (channels !== 3 || height !== width) refuse(`the images are ${shape.join('×')}, and such folders hold 3×N×N`)
    const odd = classes.find((name) => name === '' || name.startsWith('.') || name.includes('/'))
    if (odd !== undefined) refuse(`the class '${odd}' would be no visible folder's name; rename it`)
  },
  async write(folder, { train }, progress) {
    const { default: sharp } = await import('sharp')
    sharp.concurrency(1)
    sharp.cache(false)
    const { shape, classes, labels } = train
    const count = labels.length
    const read = rowReader(train.rows)
    const raw = { raw: { width: shape[2], height: shape[1], channels: 3 } } as const
    const root = Buffer.from(folder)
    for (const name of classes) mkdirSync(treePath(root, name))

    // The same number of digits for all, so that no listing sorts them by class size.
    const digits = String(count).length
    const seen = new Int32Array(classes.length)
    const names = Array.from(labels, (label) => {
      seen[label] = (seen[label] as number) + 1
      return `${classes[label]}/${String(seen[label]).padStart(digits, '0')}.png`
    })
    let next = 0
    let done = 0
    const work = async () => {
      for (let i = next++; i < count; i = next++) {
        try {
          const png = await sharp(read(i), raw).png({ compressionLevel: 6, palette: false }).toBuffer()
          // Not awaited: a small file is written faster than it is handed to a thread.
          writeFileSync(treePath(root, names[i] as string), png)
          if (++done % 100 === 0 || done === count) progress(done, count)
        } catch (error) {
          next = count // the others stop too
          throw error
        }
      }
    }
    await Promise.all(Array.from({ length: together }, work))
    return names
  },
}

function refuse(facts: string): never {
  throw new UserError('usage', `Cannot write class folders: ${facts}`)
}
