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
import { constants } from 'node:buffer'
import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { type ImageSet, imageSet } from '../training/images.ts'
import { defineDataset, type Problem } from './dataset.ts'
import { keepDecoded, readDecoded } from './decode-cache.ts'
import { createDecoder, type Decoder, decodeRules } from './decode-image.ts'
import { readTree, readTreeFile } from './folder-tree.ts'
import { type Classes, findClasses, type Labelled } from './image-classes.ts'
import { refuseTooHigh } from './several-sets.ts'
import { refuseTooBroken, warnOfFlatness, withoutUnusedClasses } from './usable-images.ts'

/** how many images are decoded at a time: as many as Node has threads for it */
const together = 4

/** FOLDER/<class>/<file>, or FOLDER/train/<class>/<file> with FOLDER/test (or val, valid, validation) beside it. */
export const imageFolder = defineDataset({
  title: 'Image folder',
  source: 'your images',
  data: 'a folder with one folder of images for each class, or with train and test folders of such',
  target: 0,
  flip: true,
  learningRate: 0.1,
  options: z.object({
    size: z.int().min(8).max(512).default(32).describe('width and height the images are brought to, pixels'),
    fit: z
      .enum(['cover', 'contain', 'stretch'])
      .default('cover')
      .describe('cover cuts the middle out, contain pads with the ground, stretch changes the aspect'),
    ground: z
      .enum(['black', 'white'])
      .default('black')
      .describe('what transparent parts lie on, and what contain pads with'),
    nested: z
      .boolean()
      .default(false)
      .describe('class folders may hold nothing but folders; else such are refused, since each may be a data set'),
    maxBroken: z.number().min(0).max(1).default(0.5).describe('the share of image files that may be unusable'),
  }),
  // whatever is no other entry's: what is wrong with it is told when it is loaded
  recognizes: () => true,
  async load({ size, fit, ground, nested, maxBroken }, { data, progress }) {
    if (data === undefined) throw new UserError('usage', 'Cannot load images from nowhere: give --data a folder')
    const { root, train, test, classes, problems, notes } = await look(data, nested)
    const decoder = await createDecoder({ size, fit, ground })
    const rules = [decodeRules, decoder.version, size, fit, ground, classes, test === null]
    const key = contentKey(rules, [train, test ?? []])
    let decoded = await readDecoded(key)
    const total = train.length + (test?.length ?? 0)
    if (decoded === undefined) {
      const room = { root, decoder, size, classes, broken: [] as Problem[], unread: 0 }
      const first = await decodeAll(train, room, (done) => progress(done, total))
      const second = test && (await decodeAll(test, room, (done) => progress(train.length + done, total)))
      decoded = { train: first, test: second, problems: room.broken }
      // a disk's momentary failure must not be kept as the file's
      if (room.unread === 0) await keepDecoded(key, decoded)
    }
    progress(total, total)
    refuseTooBroken(data, decoded, { total, maxBroken, problems })
    const sets = withoutUnusedClasses(decoded, problems)
    return {
      ...sets,
      problems: [...problems, ...decoded.problems],
      notes: [...notes, ...warnOfFlatness(sets.train, ground)],
    }
  },
})

interface Found extends Classes {
  readonly root: Buffer
  readonly problems: Problem[]
}

async function look(data: string, nested: boolean): Promise<Found> {
  const problems: Problem[] = []
  try {
    const root = await realpath(Buffer.from(data), { encoding: 'buffer' })
    const tree = await readTree(root, problems, refuseTooHigh(data, root))
    return { root, ...findClasses(data, tree, { nested, problems }), problems }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (typeof code !== 'string') throw error
    const facts =
      code === 'ENOENT'
        ? 'it does not exist'
        : code === 'ENOTDIR'
          ? 'it is not a folder'
          : `it cannot be read (${code})`
    throw new UserError('data', `Cannot load images from "${data}": ${facts}. Give a folder of class folders`)
  }
}

/**
 * A hash of everything the pixels depend on. The files' times stand for their content: reading every file would cost as
 * much as decoding small ones.
 */
function contentKey(rules: readonly unknown[], sets: readonly (readonly Labelled[])[]): string {
  const hash = createHash('sha256').update(JSON.stringify(rules))
  for (const set of sets) {
    hash.update('\nset\n')
    for (const { label, file } of set) hash.update(`${label} ${file.stamp} ${file.path}\n`)
  }
  return hash.digest('hex')
}

interface Room {
  readonly root: Buffer
  readonly decoder: Decoder
  readonly size: number
  readonly classes: readonly string[]
  /** out: files that did not decode */
  readonly broken: Problem[]
  /** out: how many of them could not even be read */
  unread: number
}

/** The images that decode, in the order of `files` however many are decoded at a time. */
async function decodeAll(files: readonly Labelled[], room: Room, progress: (done: number) => void): Promise<ImageSet> {
  const { root, decoder, size, classes } = room
  const bytes = 3 * size * size
  if (files.length * bytes > constants.MAX_LENGTH) {
    const facts = `${files.length} images of ${size}×${size} take ${Math.ceil((files.length * bytes) / 1e9)} GB`
    throw new UserError('space', `Cannot hold the images in memory: ${facts}. Choose a smaller size`)
  }
  const pixels = new Uint8Array(files.length * bytes)
  const reasons: (string | undefined)[] = new Array(files.length)
  let next = 0
  let done = 0
  const work = async () => {
    for (let i = next++; i < files.length; i = next++) {
      let content: Uint8Array | undefined
      try {
        content = await readTreeFile(root, (files[i] as Labelled).file)
        pixels.set(await decoder.decode(content), i * bytes)
      } catch (error) {
        if (!(error instanceof UserError)) {
          next = files.length
          throw error
        }
        reasons[i] = error.message
        if (content === undefined) room.unread++
      }
      if (++done % 100 === 0) progress(done)
    }
  }
  await Promise.all(Array.from({ length: together }, work))
  const labels: number[] = []
  const names: string[] = []
  for (const [i, { label, file }] of files.entries()) {
    const reason = reasons[i]
    if (reason !== undefined) {
      room.broken.push({ file: file.path, reason })
      continue
    }
    pixels.copyWithin(names.length * bytes, i * bytes, (i + 1) * bytes)
    labels.push(label)
    names.push(file.path)
  }
  const kept = pixels.subarray(0, names.length * bytes)
  return imageSet({ pixels: kept, labels: Int32Array.from(labels), names, shape: [3, size, size], classes })
}
