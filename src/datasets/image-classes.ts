import { UserError } from '../errors.ts'
import type { Problem } from './dataset.ts'
import type { TreeFile, TreeFolder } from './folder-tree.ts'

/** An image file and its class. */
export interface Labelled {
  readonly label: number
  readonly file: TreeFile
}

interface Classes {
  readonly train: readonly Labelled[]
  readonly test: readonly Labelled[] | null
  readonly classes: readonly string[]
}

/** Names of a folder of test images, the better ones first. */
const testNames = ['test', 'val', 'valid', 'validation']
/** Endings of images' names; those of formats that are not read are here so that their content is named as the reason. */
const imageName = /\.(jpe?g|jpe|jfif|png|webp|p[pn]m|gif|bmp|tiff?|svg|avif|hei[cf]|jxl|jp2)$/i

/** The class folders in a tree and the image files in them; a UserError where that is no data set. */
export function findClasses(data: string, tree: TreeFolder, problems: Problem[]): Classes {
  const trainFolder = tree.folders.find(({ name, folders }) => name === 'train' && folders.length > 0)
  const testFolder =
    trainFolder && testNames.flatMap((name) => tree.folders.filter((folder) => folder.name === name))[0]
  const top = trainFolder ?? tree
  for (const folder of trainFolder ? [tree, trainFolder, ...(testFolder ? [testFolder] : [])] : [tree]) {
    for (const { path } of folder.files) problems.push({ file: path, reason: 'it is in no class folder' })
  }
  for (const folder of trainFolder ? tree.folders : []) {
    if (folder === trainFolder || folder === testFolder) continue
    const beside = testFolder ? `"train" and "${testFolder.name}"` : '"train"'
    problems.push({ file: folder.path, reason: `it is not used: the images are taken from ${beside}` })
  }
  refuseTooFew(data, top)
  const classes = top.folders.map(({ name }) => name)
  return {
    classes,
    train: labelled(top, classes, problems),
    test: testFolder ? labelled(testFolder, classes, problems) : null,
  }
}

function refuseTooFew(data: string, { path, folders, files }: TreeFolder): void {
  if (folders.length > 1) return
  const images = files.filter(isImage).length
  const where = path === '' ? `"${data}"` : `"${path}" in "${data}"`
  const facts =
    folders.length === 1
      ? `there is only one class folder in ${where}, "${folders[0]?.name}"`
      : files.length === 0
        ? `${where} is empty`
        : `there is no class folder in ${where}, but ${images} image files lie in it`
  throw new UserError(
    'data',
    `Cannot load images from "${data}": ${facts}. Give each of two or more classes a folder with its images`,
  )
}

function labelled(top: TreeFolder, classes: readonly string[], problems: Problem[]): readonly Labelled[] {
  const found: Labelled[] = []
  for (const folder of top.folders) {
    const label = classes.indexOf(folder.name)
    if (label < 0) problems.push({ file: folder.path, reason: 'there is no class of this name to train on' })
    else
      for (const file of filesBelow(folder)) {
        if (isImage(file)) found.push({ label, file })
        else problems.push({ file: file.path, reason: 'it is not an image file by its name' })
      }
  }
  return found
}

function* filesBelow({ files, folders }: TreeFolder): Iterable<TreeFile> {
  yield* files
  for (const folder of folders) yield* filesBelow(folder)
}

function isImage({ path }: TreeFile): boolean {
  return imageName.test(path)
}
