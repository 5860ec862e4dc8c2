// Images that lie encoded, in files, archives or columns, and how they become image sets. Every entry whose images are
// encoded lists them and gives the list to `decodeSets`, which alone makes pixels of them. So all entries share the
// options, the cache, the share of images that may be broken, and what is said of the result.
import { constants } from 'node:buffer'
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { type ImageSet, imageSet } from '../training/images.ts'
import type { Dataset, LoadContext, Problem } from './dataset.ts'
import { keepDecoded, readDecoded } from './decode-cache.ts'
import { createDecoder, type Decoder, decodeRules } from './decode-image.ts'
import { readTreeFile, type TreeFile } from './folder-tree.ts'
import { refuseTooBroken, warnOfFlatness, withoutUnusedClasses } from './usable-images.ts'

/** how many images are decoded at a time: as many as Node has threads for it */
const together = 4

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
  const rules = [decodeRules, decoder.version, size, fit, ground, classes, test === null]
  const key = contentKey(rules, [train, test ?? []])
  let decoded = await readDecoded(key)
  const total = train.length + (test?.length ?? 0)
  if (decoded === undefined) {
    const room = { decoder, size, classes, broken: [] as Problem[], unread: 0 }
    const first = await decodeAll(train, room, (done) => progress(done, total))
    const second = test && (await decodeAll(test, room, (done) => progress(train.length + done, total)))
    decoded = { train: first, test: second, problems: room.broken }
    // a disk's momentary failure must not be kept as the file's
    if (room.unread === 0) await keepDecoded(key, decoded)
  }
  progress(total, total)
  const problems = [...found.problems]
  refuseTooBroken(data, decoded, { total, maxBroken, problems })
  const grouped = {
    train: withGroups(decoded.train, train),
    test: decoded.test && test && withGroups(decoded.test, test),
  }
  const sets = withoutUnusedClasses(grouped, problems)
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
function contentKey(rules: readonly unknown[], sets: readonly (readonly Encoded[])[]): string {
  const hash = createHash('sha256').update(JSON.stringify(rules))
  for (const set of sets) {
    hash.update('\nset\n')
    for (const { label, stamp, name } of set) hash.update(`${label} ${stamp} ${name}\n`)
  }
  return hash.digest('hex')
}

/** The set with its images' groups; it holds some of the images of the list. */
function withGroups(set: ImageSet, images: readonly Encoded[]): ImageSet {
  const groups = new Map(images.flatMap(({ name, group }) => (group === undefined ? [] : [[name, group] as const])))
  if (groups.size === 0) return set
  return { ...set, groups: Int32Array.from(set.names, (name) => groups.get(name) as number) }
}

interface Room {
  readonly decoder: Decoder
  readonly size: number
  readonly classes: readonly string[]
  /** out: images that did not decode */
  readonly broken: Problem[]
  /** out: how many of them could not even be read */
  unread: number
}

/** The images that decode, in the order given however many are decoded at a time. */
async function decodeAll(images: readonly Encoded[], room: Room, progress: (done: number) => void): Promise<ImageSet> {
  const { decoder, size, classes } = room
  const bytes = 3 * size * size
  if (images.length * bytes > constants.MAX_LENGTH) {
    const facts = `${images.length} images of ${size}×${size} take ${Math.ceil((images.length * bytes) / 1e9)} GB`
    throw new UserError('space', `Cannot hold the images in memory: ${facts}. Choose a smaller size`)
  }
  const pixels = new Uint8Array(images.length * bytes)
  const reasons: (string | undefined)[] = new Array(images.length)
  let next = 0
  let done = 0
  const work = async () => {
    for (let i = next++; i < images.length; i = next++) {
      let content: Uint8Array | undefined
      try {
        content = await (images[i] as Encoded).read()
        pixels.set(await decoder.decode(content), i * bytes)
      } catch (error) {
        if (!(error instanceof UserError)) {
          next = images.length
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
  for (const [i, { label, name }] of images.entries()) {
    const reason = reasons[i]
    if (reason !== undefined) {
      room.broken.push({ file: name, reason })
      continue
    }
    pixels.copyWithin(names.length * bytes, i * bytes, (i + 1) * bytes)
    labels.push(label)
    names.push(name)
  }
  const kept = pixels.subarray(0, names.length * bytes)
  return imageSet({ pixels: kept, labels: Int32Array.from(labels), names, shape: [3, size, size], classes })
}
