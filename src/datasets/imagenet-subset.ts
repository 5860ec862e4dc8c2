import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { defineDataset, type Problem } from './dataset.ts'
import { decodeSets, decodeShape, type Encoded, type EncodedSets, encodedFile } from './encoded.ts'
import { filesBelow, readTree } from './folder-tree.ts'
import { isImage } from './image-names.ts'
import { type ListedClass, listIn, readClassList } from './imagenet-subset/class-list.ts'
import { isFolder } from './place.ts'

const trainFolder = 'train'
/** Folders with the test images, the first that is there; ILSVRC's own `test` has no classes. */
const testFolders = ['val', 'validation', 'valid', 'test']

/**
 * Some classes of ImageNet: FOLDER/train/<wnid>/<file> and FOLDER/val/<wnid>/<file>, and a class list, which chooses the
 * classes, orders them and gives their names. The list's forms are told in imagenet-subset/class-list.ts.
 */
export const imagenetSubset = defineDataset({
  title: 'ImageNet, or some of its classes',
  source: 'https://www.image-net.org',
  data: 'a folder with train and val, class folders in both, and a class list: classes.csv or classes.txt',
  target: 0,
  flip: true,
  learningRate: 0.1,
  options: z.object({
    ...decodeShape({ size: 64 }),
    classes: z
      .string()
      .overwrite((path) => (path === '' ? '' : resolve(path)))
      .default('')
      .describe('another class list, which may choose fewer classes; where empty, the one in the data'),
  }),
  recognizes(path) {
    const list = listIn(path)
    return list !== undefined && readsAs(list).some(({ folder }) => isFolder(join(path, trainFolder, folder)))
  },
  folderOf: (path) => path,
  async load({ classes, ...settings }, context) {
    const { data } = context
    if (data === undefined) throw new UserError('usage', 'Cannot load ImageNet from nowhere: give --data its folder')
    return decodeSets(await look(data, classes || listIn(data)), settings, context)
  },
})

/** The classes of a list that may be none of ours. */
function readsAs(list: string): readonly ListedClass[] {
  try {
    return readClassList(list)
  } catch (error) {
    if (error instanceof UserError) return []
    throw error
  }
}

async function look(data: string, list: string | undefined): Promise<EncodedSets> {
  const refuse = (facts: string) => new UserError('data', `Cannot load ImageNet's classes from "${data}": ${facts}`)
  if (!isFolder(join(data, trainFolder)))
    throw refuse(
      `${existsSync(data) ? 'there is no folder "train" in it' : 'there is no such folder'}. Give the folder around it`,
    )
  if (list === undefined) throw refuse('there is no classes.csv in it. Write one, or give --dataset.classes a list')
  const classes = readClassList(list)
  const absent = classes.filter(({ folder }) => !isFolder(join(data, trainFolder, folder))).map(({ folder }) => folder)
  if (absent.length > 0) {
    const more = absent.length > 5 ? ` and ${absent.length - 5} more` : ''
    const facts = `"${list}" names folders that are not in "${trainFolder}": ${absent.slice(0, 5).join(', ')}${more}`
    throw refuse(`${facts}. Correct the list, or give --dataset.classes another`)
  }
  const root = await realpath(Buffer.from(data), { encoding: 'buffer' })
  const room = { root, data, classes, problems: [] as Problem[] }
  const test = testFolders.find((folder) => isFolder(join(data, folder)))
  const notes = [`the classes are taken from "${list}"`]
  const measured = test === undefined ? null : await imagesIn(room, test)
  if (measured?.length === 0) notes.push(`"${test}" is not used: it holds no folders of these classes with images`)
  return {
    data,
    train: await imagesIn(room, trainFolder),
    test: measured?.length ? measured : null,
    classes: classes.map(({ name }) => name),
    problems: room.problems,
    notes,
  }
}

interface Room {
  readonly root: Buffer
  readonly data: string
  readonly classes: readonly ListedClass[]
  /** out */
  readonly problems: Problem[]
}

/** The images of a split, in the classes' order. Only folders of the classes are looked at: ImageNet has 1,000. */
async function imagesIn({ root, data, classes, problems }: Room, split: string): Promise<readonly Encoded[]> {
  const images: Encoded[] = []
  for (const [label, { folder }] of classes.entries()) {
    if (!isFolder(join(data, split, folder))) continue
    for (const file of filesBelow(await readTree(root, problems, { path: `${split}/${folder}` }))) {
      if (isImage(file)) images.push(encodedFile(root, file, label))
      else problems.push({ file: file.path, reason: 'it is not an image file by its name' })
    }
  }
  return images
}
