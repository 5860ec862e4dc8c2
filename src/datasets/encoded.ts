// Images that lie encoded, in files, archives or columns, and how they become image sets. Every entry whose images are
// encoded lists them and gives the list to `decodeSets`, which alone makes pixels of them. So all entries share the
// options, the cache, the share of images that may be broken, and what is said of the result.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { imageSet } from '../training/images.ts'
import { pickRows } from '../training/rows.ts'
import type { Dataset, LoadContext, Problem } from './dataset.ts'
import { createDecoder, decodeRules } from './decode-image.ts'
import { decodeRows } from './decode-rows.ts'
import { readTreeFile, type TreeFile } from './folder-tree.ts'
import { refuseTooBroken, warnOfFlatness, withoutUnusedClasses } from './usable-images.ts'

/** An image yet to be decoded, and its class. */
export interface Encoded {
  /** what the image is called in lists and messages: one name an image, by showName */
  readonly name: string
  /** the place of its class */
  readonly label: number
  /** changes when the content does, as a file's size and times do: stands for the content in the cache's key */
  readonly stamp: string
  /** images of one group show one thing, as the frames of a film do; all images of a set have one, or none has */
  readonly group?: number
  /** the bytes of the file; a UserError whose message is the reason where they cannot be had */
  read(): Promise<Uint8Array>
}

/** An image that is a file below `root`. */
export function encodedFile(root: Buffer, file: TreeFile, label: number): Encoded {
  return { name: file.path, label, stamp: file.stamp, read: () => readTreeFile(root, file) }
}

/** What an entry has found. */
export interface EncodedSets {
  /** the user's `--data`, for messages */
  readonly data: string
  readonly train: readonly Encoded[]
  readonly test: readonly Encoded[] | null
  readonly classes: readonly string[]
  /** what was left out, each with its reason */
  readonly problems: readonly Problem[]
  readonly notes: readonly string[]
}

/** The options of every entry whose images are encoded, to be spread into its own; `size` is the entry's default, pixels. */
export const decodeShape = ({ size }: { size: number }) => ({
  size: z.int().min(8).max(512).default(size).describe('width and height the images are brought to, pixels'),
  fit: z
    .enum(['cover', 'contain', 'stretch'])
    .default('cover')
    .describe('cover cuts the middle out, contain pads with the ground, stretch changes the aspect'),
  ground: z
    .enum(['black', 'white'])
    .default('black')
    .describe('what transparent parts lie on, and what contain pads with'),
  maxBroken: z.number().min(0).max(1).default(0.5).describe('the share of image files that may be unusable'),
})

export type DecodeSettings = z.output<z.ZodObject<ReturnType<typeof decodeShape>>>

/**
 * The images that decode, in the order of the lists, from the cache where they were decoded before. Those that do not
 * decode are told as problems; too many of them are a UserError. Classes without a usable training image are dropped.
 */
export async function decodeSets(
  found: EncodedSets,
  settings: DecodeSettings,
  { progress }: Pick<LoadContext, 'progress'>,
): Promise<Dataset> {
  const { data, train, test, classes } = found
  const { size, fit, ground, maxBroken } = settings
  const decoder = await createDecoder({ size, fit, ground })
  const images = test ? [...train, ...test] : train
  const key = contentKey([decodeRules, decoder.version, size, fit, ground], images)
  const { rows, broken } = await decodeRows(images, { key, decoder, bytes: 3 * size * size, progress })
  /** the usable ones of a part of the list, which begins at `first` */
  const usable = (part: readonly Encoded[], first: number) => {
    const places = Int32Array.from(part.keys()).filter((i) => !broken.has(first + i))
    const list = Array.from(places, (i) => part[i] as Encoded)
    return imageSet({
      rows: pickRows(
        rows,
        places.map((i) => first + i),
      ),
      labels: Int32Array.from(list, ({ label }) => label),
      names: list.map(({ name }) => name),
      shape: [3, size, size],
      classes,
      ...groupsOf(list),
    })
  }
  const decoded = {
    train: usable(train, 0),
    test: test && usable(test, train.length),
    problems: Array.from(broken, ([i, reason]) => ({ file: (images[i] as Encoded).name, reason })),
  }
  const problems = [...found.problems]
  refuseTooBroken(data, decoded, { total: images.length, maxBroken, problems })
  const sets = withoutUnusedClasses(decoded, problems)
  return {
    ...sets,
    problems: [...problems, ...decoded.problems],
    notes: [...found.notes, ...warnOfFlatness(sets.train, ground)],
  }
}

/**
 * A hash of everything the pixels depend on. The files' times stand for their content: reading every file would cost as
 * much as decoding small ones.
 */
function contentKey(rules: readonly unknown[], images: readonly Encoded[]): string {
  const hash = createHash('sha256').update(JSON.stringify(rules))
  for (const { stamp, name } of images) hash.update(`\n${stamp} ${name}`)
  return hash.digest('hex')
}

/** The groups of these images, where they have some. */
function groupsOf(images: readonly Encoded[]): { groups?: Int32Array } {
  if (images[0]?.group === undefined) return {}
  return { groups: Int32Array.from(images, ({ group }) => group as number) }
}
