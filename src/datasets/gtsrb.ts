import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { defineDataset, type Problem } from './dataset.ts'
import { decodeSets, decodeShape, type Encoded, type EncodedSets, encodedFile } from './encoded.ts'
import { filesBelow, readTree, readTreeFile, type TreeFile, type TreeFolder } from './folder-tree.ts'
import { type Annotation, readAnnotations, readSignNames } from './gtsrb/annotations.ts'
import { croppedFile, hasListedSize } from './gtsrb/crop.ts'
import { release } from './gtsrb/release.ts'
import { tracks, withTracksHeldOut } from './gtsrb/tracks.ts'
import { isImage } from './image-names.ts'

const trainImages = 'Final_Training/Images'
const testImages = 'Final_Test/Images'
/** The list with the test images' classes comes in an archive of its own, and lands in one of these places. */
const testLists = ['Final_Test/GT-final_test.csv', 'Final_Test/Images/GT-final_test.csv', 'GT-final_test.csv']

/** The German Traffic Sign Recognition Benchmark as its authors publish it (J. Stallkamp et al., IJCNN 2011). */
export const gtsrb = defineDataset({
  title: 'GTSRB, German traffic signs',
  source: 'https://benchmark.ini.rub.de/gtsrb_news.html',
  data: 'the folder GTSRB with Final_Training and Final_Test in it, or the folder around it',
  target: 1,
  flip: false,
  learningRate: 0.1, // the paper: 0.01, over 100 epochs
  release,
  options: z.object({
    ...decodeShape({ size: 32 }),
    crop: z
      .boolean()
      .default(false)
      .describe('cut the sign out where an image has the size that its list states; resized images stay whole'),
    heldOut: z
      .int()
      .min(0)
      .default(0)
      .describe(
        'train without the last so many tracks of each class and measure on them, not on the test images: to choose options by',
      ),
  }),
  recognizes: (path) => find(path) !== undefined,
  folderOf: (path) => find(path) ?? null,
  async load({ crop, heldOut, ...settings }, context) {
    const { data } = context
    if (data === undefined) throw new UserError('usage', 'Cannot load GTSRB from nowhere: give --data its folder')
    const found = await look(data, crop)
    return decodeSets(heldOut === 0 ? found : withTracksHeldOut(found, heldOut), settings, context)
  },
})

/** The folder GTSRB, which may be the one given. */
function find(data: string): string | undefined {
  return [data, join(data, 'GTSRB')].find((folder) => existsSync(join(folder, trainImages)))
}

async function look(data: string, crop: boolean): Promise<EncodedSets> {
  const folder = find(data)
  if (folder === undefined) {
    const facts = existsSync(data) ? `there is no ${trainImages} in it` : 'there is no such folder'
    throw new UserError('data', `Cannot load GTSRB from "${data}": ${facts}. Give the unpacked folder GTSRB`)
  }
  const root = await realpath(Buffer.from(folder), { encoding: 'buffer' })
  const problems: Problem[] = []
  const notes = folder === data ? [] : [`the images are taken from "${folder}"`]
  const classFolders = (await readTree(root, problems, { path: trainImages })).folders.filter(isClass)
  if (classFolders.length < 2) {
    const facts = `there ${classFolders.length === 1 ? 'is one class folder' : 'are no class folders'} in ${trainImages}`
    throw new UserError('data', `Cannot load GTSRB from "${data}": ${facts}. Unpack GTSRB again`)
  }
  const names = readSignNames([join(folder, 'signnames.csv'), join(dirname(folder), 'signnames.csv')])
  const numbers = classFolders.map(({ name }) => Number(name))
  const resized = crop && (await wereResized(root, folder, classFolders[0] as TreeFolder))
  if (resized) notes.push('no image is cropped: the first has not the size that its list states, so they were resized')
  const room = { root, folder, crop: crop && !resized, problems }
  const train = classFolders.flatMap((each, label) => trainingImages(room, each, label))
  const test = await readTest(room, numbers, notes)
  const classes = numbers.map((number) => names?.get(number) ?? String(number))
  return { data, train, test, classes, problems, notes }
}

const isClass = ({ name }: TreeFolder) => /^\d{5}$/.test(name)

/** Whether the first image has another size than its list states: who resized it did so with all. */
async function wereResized(root: Buffer, folder: string, of: TreeFolder): Promise<boolean> {
  const known = readAnnotations(folder, listOf(of), [])
  const first = of.files.find((file) => known.has(baseName(file)))
  if (first === undefined) return true
  try {
    return !hasListedSize(await readTreeFile(root, first), known.get(baseName(first)) as Annotation)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return false // what is wrong with the file is told when it is decoded
  }
}

const listOf = ({ path, name }: TreeFolder) => `${path}/GT-${name}.csv`

interface Room {
  readonly root: Buffer
  readonly folder: string
  readonly crop: boolean
  /** out */
  readonly problems: Problem[]
}

/** The images of one class with their tracks; its list is read only where it is of use. */
function trainingImages({ root, folder, crop, problems }: Room, of: TreeFolder, label: number): readonly Encoded[] {
  const list = listOf(of)
  const known = crop ? readAnnotations(folder, list, problems) : undefined
  const files = [...filesBelow(of)].filter((file) => file.path !== list)
  for (const { path } of files.filter((file) => !isImage(file)))
    problems.push({ file: path, reason: 'it is not an image file by its name' })
  return tracks(of.name, files.filter(isImage), (file) => encodedSign(root, file, { label, known }))
}

/** The test images whose classes are known; null, and a note, where there are none. */
async function readTest(room: Room, numbers: readonly number[], notes: string[]): Promise<readonly Encoded[] | null> {
  const { root, folder, crop, problems } = room
  if (!existsSync(join(folder, testImages))) return null
  const list = testLists.find((path) => existsSync(join(folder, path)))
  if (list === undefined) {
    notes.push(`the images in ${testImages} are not used: there is no GT-final_test.csv, which holds their classes`)
    return null
  }
  const known = readAnnotations(folder, list, problems)
  const images: Encoded[] = []
  const seen = new Set<string>()
  for (const file of filesBelow(await readTree(root, problems, { path: testImages }))) {
    const name = baseName(file)
    if (!isImage(file)) continue
    seen.add(name)
    const number = known.get(name)?.number
    const label = number === undefined ? -1 : numbers.indexOf(number)
    const reason = number === undefined ? `it is not in ${list}` : 'no class of its number is trained on'
    if (label < 0) problems.push({ file: file.path, reason })
    else images.push(encodedSign(root, file, { label, known: crop ? known : undefined }))
  }
  for (const name of known.keys())
    if (!seen.has(name)) problems.push({ file: `${testImages}/${name}`, reason: `it is in ${list}, and not there` })
  return images
}

const baseName = ({ path }: TreeFile) => path.slice(path.lastIndexOf('/') + 1)

interface Sign {
  readonly label: number
  /** undefined where images are taken whole */
  readonly known: ReadonlyMap<string, Annotation> | undefined
}

function encodedSign(root: Buffer, file: TreeFile, { label, known }: Sign): Encoded {
  const image = encodedFile(root, file, label)
  const annotation = known?.get(baseName(file))
  return annotation === undefined ? image : croppedFile(image, annotation)
}
