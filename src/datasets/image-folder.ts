// Folders of images, one for each class. The rules by which a file becomes an image, or does not:
//
// - The content decides what a file is, not its name: JPEG, PNG, WebP, GIF, TIFF, AVIF and PPM are read, anything else is
//   refused, an SVG named .jpg too. A file whose name does not end as an image's is passed over.
// - EXIF orientation is applied. Gray becomes RGB, 16 bits become 8, CMYK and embedded color profiles become sRGB. What
//   is transparent lies on the ground (black, or white), and so does an image that does not fill its square (fit:
//   contain). Of several frames or pages the first counts.
// - Images are made smaller by Lanczos' filter with three lobes, and larger by bicubic interpolation.
// - Which folders are classes, and which are splits, is told in image-classes.ts.
// - Refused: truncated or damaged images, those of more than 100 megapixels or 350 MB decoded, files above 128 MiB, empty
//   ones, links out of the folder, links to folders, pipes and devices. Hidden files and folders (.name) are nobody's.
// - Whatever is left out is listed with its reason, and the rest is loaded. Folders inside a class folder belong to it.
import { realpath } from 'node:fs/promises'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { defineDataset, type Problem } from './dataset.ts'
import { decodeSets, decodeShape, type EncodedSets, encodedFile } from './encoded.ts'
import { readTree } from './folder-tree.ts'
import { findClasses, type Labelled } from './image-classes.ts'
import { refuseTooHigh } from './several-sets.ts'

/** FOLDER/<class>/<file>, or FOLDER/train/<class>/<file> with FOLDER/test (or val, valid, validation) beside it. */
export const imageFolder = defineDataset({
  title: 'Image folder',
  source: 'your images',
  data: 'a folder with one folder of images for each class, or with train and test folders of such',
  target: 0,
  flip: true,
  learningRate: 0.1,
  options: z.object({
    ...decodeShape({ size: 32 }),
    nested: z
      .boolean()
      .default(false)
      .describe('class folders may hold nothing but folders; else such are refused, since each may be a data set'),
  }),
  // whatever is no other entry's: what is wrong with it is told when it is loaded
  recognizes: () => true,
  folderOf: (path) => path,
  async load({ nested, ...settings }, context) {
    const { data } = context
    if (data === undefined) throw new UserError('usage', 'Cannot load images from nowhere: give --data a folder')
    return decodeSets(await look(data, nested), settings, context)
  },
})

async function look(data: string, nested: boolean): Promise<EncodedSets> {
  const problems: Problem[] = []
  try {
    const root = await realpath(Buffer.from(data), { encoding: 'buffer' })
    const tree = await readTree(root, problems, { onEntries: refuseTooHigh(data, root) })
    const { train, test, classes, notes } = findClasses(data, tree, { nested, problems })
    const encode = (files: readonly Labelled[]) => files.map(({ file, label }) => encodedFile(root, file, label))
    return { data, train: encode(train), test: test && encode(test), classes, problems, notes }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (typeof code !== 'string') throw error
    const facts =
      code === 'ENOENT'
        ? 'it does not exist'
        : code === 'ENOTDIR'
          ? 'it is not a folder'
          : `it cannot be read (${code})`
    const remedy = 'Give a folder of class folders, or a .csv, .jsonl, .tar or .parquet file'
    throw new UserError('data', `Cannot load images from "${data}": ${facts}. ${remedy}`)
  }
}
