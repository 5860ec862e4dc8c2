// A folder that is not one data set but holds several, or is no folder of images at all: `data/`, `~`, `/`.
import { UserError } from '../errors.ts'
import type { TreeFolder } from './folder-tree.ts'
import { className, isImage, isImageName } from './image-names.ts'
import { type Refuse, some } from './refusal.ts'
import { splitsOf } from './split-names.ts'

/** After so many names a folder in which next to nothing is an image is not looked through any further. */
const manyNames = 50_000
const fewImages = 0.05

/** Refuses class folders that hold nothing but folders: each may be a data set, or a split, of its own. */
export function refuseSeveral(classes: readonly TreeFolder[], refuse: Refuse): void {
  const nested = classes.filter(isNested)
  const found = nested.length > 1 ? nested : nested.filter(({ folders }) => isSplit(folders) || folders.some(isNested))
  const [first, ...others] = found.map(({ folders }) => folders.map(className))
  if (first === undefined) return
  const shared = first.filter((name) => others.every((names) => names.includes(name)))
  const names = shared.slice(0, 3).join(', ')
  refuse(
    others.length > 0 && shared.length > 1
      ? `${some(found)} hold folders of the same names (${names}), as splits or copies of one data set do`
      : `${some(found)} ${others.length > 0 ? 'hold' : 'holds'} nothing but folders, as a data set of its own does`,
    `Give one of them, or --dataset.nested true where they are the classes`,
  )
}

const isNested = ({ files, folders }: TreeFolder) => folders.length > 1 && !files.some(isImage)
const isSplit = (folders: readonly TreeFolder[]) => splitsOf(folders.map(({ name }) => name)).includes('train')

/** Hears the names in each folder, and refuses what nobody would call a folder of images, in seconds and not in hours. */
export function refuseTooHigh(data: string, root: Buffer): (names: readonly string[]) => void {
  let [seen, images] = [0, 0]
  const refuse = (facts: string) => {
    throw new UserError('data', `Cannot load images from "${data}": ${facts}. Give a folder of class folders`)
  }
  if (root.toString() === '/') refuse('it is the root of the file system')
  return (names) => {
    seen += names.length
    images += names.filter(isImageName).length
    if (seen > manyNames && images < fewImages * seen) {
      refuse(`of the first ${seen} files and folders in it ${images} are images by their names`)
    }
  }
}
