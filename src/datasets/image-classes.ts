// What a class folder is, in one place.
//
// - Every folder that holds images by their names, itself or in folders inside, is a class of its name. Two spellings of
//   one name (Unicode's composed and decomposed form) are one class.
// - Passed over, with the reason: folders without images, our own run directories (with `config.yaml` and `kind`), what
//   systems leave behind (`__MACOSX`, `@eaDir`), hidden folders.
// - A folder that holds nothing but one folder of folders stands for that one.
// - A training split with class folders is trained on, and a test split beside it is measured on: `test` before `val`. A
//   test split whose folders bear the names of the classes beside it is one too.
// - Refused, since nobody can tell: a training split beside folders that are no splits, several training splits, splits
//   without class folders, and several folders that hold nothing but folders, which are several data sets or splits. Where
//   such are the classes, `nested` says so.
import { emptyClassReasons, type Problem } from './dataset.ts'
import { nameBytes } from './file-names.ts'
import { filesBelow, type TreeFile, type TreeFolder } from './folder-tree.ts'
import { className, isImage } from './image-names.ts'
import { plural, type Refuse, refusal, some } from './refusal.ts'
import { refuseSeveral } from './several-sets.ts'
import { type Split, splitsOf } from './split-names.ts'

/** An image file and its class. */
export interface Labelled {
  readonly label: number
  readonly file: TreeFile
}

export interface Classes {
  readonly train: readonly Labelled[]
  readonly test: readonly Labelled[] | null
  readonly classes: readonly string[]
  /** where the images are taken from, a sentence each; none where the class folders lie in the folder itself */
  readonly notes: readonly string[]
}

export interface ClassRules {
  /** class folders may hold nothing but folders */
  readonly nested: boolean
  /** in: what was left out before; out: what is left out here too */
  readonly problems: Problem[]
}

const clutter = ['__macosx', '@eadir', 'lost+found', '$recycle.bin', 'system volume information']

/** The class folders in a tree and the image files in them; a UserError where that is no data set, or not one. */
export function findClasses(data: string, tree: TreeFolder, rules: ClassRules): Classes {
  const { problems } = rules
  const refuse = refusal(data, problems)
  const root = withoutOthers(tree, problems)
  for (const { path } of root.files) problems.push({ file: path, reason: 'it is in no class folder' })
  const { train, test, others } = splits(inner(root), refuse)
  for (const folder of [train, ...(test ? [test] : [])]) {
    if (folder.path === '') continue
    for (const { path } of folder.files) problems.push({ file: path, reason: 'it is in no class folder' })
  }
  const from = [train, ...(test ? [test] : [])].map(({ path }) => `"${path || data}"`)
  for (const { folder, reason } of others)
    problems.push({
      file: folder.path,
      reason: reason ?? `it is not used: the images are taken from ${from.join(' and ')}`,
    })
  refuseTooFew(train, refuse)
  if (!rules.nested) refuseSeveral(train.folders.map(inner), refuse)
  const classes = [...new Set(train.folders.map(className))].sort((a, b) => Buffer.compare(nameBytes(a), nameBytes(b)))
  const notes = train.path === '' ? [] : [`the images are taken from "${train.path}"`]
  if (test) notes.push(`the test images are taken from "${test.path}"`)
  return {
    classes,
    train: labelled(train, classes, problems),
    test: test ? labelled(test, classes, problems) : null,
    notes,
  }
}

/** The folders that hold images; the others are told, the outermost only. */
function withoutOthers(tree: TreeFolder, problems: Problem[]): TreeFolder {
  const folders: TreeFolder[] = []
  for (const folder of tree.folders) {
    const reason = reasonToPass(folder)
    if (reason === undefined) folders.push(withoutOthers(folder, problems))
    else if (!problems.some(({ file }) => file === folder.path)) problems.push({ file: folder.path, reason })
  }
  return { ...tree, folders }
}

function reasonToPass(folder: TreeFolder): string | undefined {
  if (clutter.includes(folder.name.toLowerCase())) return 'it holds what a system left behind, and no class'
  if (isRun(folder)) return 'it is a run of this program'
  if (hasImages(folder)) return undefined
  return holdsRuns(folder) ? 'it holds runs of this program' : emptyClassReasons.noImages
}

function isRun({ files, path }: TreeFolder): boolean {
  return ['config.yaml', 'kind'].every((name) => files.some((file) => file.path === `${path}/${name}`))
}

const holdsRuns = ({ folders }: TreeFolder): boolean => folders.some((folder) => isRun(folder) || holdsRuns(folder))

function hasImages(folder: TreeFolder): boolean {
  if (isRun(folder) || clutter.includes(folder.name.toLowerCase())) return false
  return folder.files.some(isImage) || folder.folders.some(hasImages)
}

/** The folder, or the one that it was put into for nothing. */
function inner(folder: TreeFolder): TreeFolder {
  const [only, ...more] = folder.folders
  if (only === undefined || more.length > 0 || folder.files.some(isImage) || only.folders.length === 0) return folder
  return inner(only)
}

interface Splits {
  readonly train: TreeFolder
  readonly test: TreeFolder | null
  /** what belongs to neither, with a reason where it is a special one */
  readonly others: readonly { readonly folder: TreeFolder; readonly reason?: string }[]
}

function splits(top: TreeFolder, refuse: Refuse): Splits {
  const kinds = splitsOf(top.folders.map(({ name }) => name))
  const of = (...wanted: (Split | undefined)[]) =>
    wanted.flatMap((kind) => top.folders.filter((_, i) => kinds[i] === kind))
  const tests = of('test', 'val')
  const plain = of(undefined)
  const deep = of('train').filter((folder) => inner(folder).folders.length > 0)
  const names = (folders: readonly TreeFolder[]) => folders.map(({ path }) => `"${path}"`).join(', ')
  if (deep.length > 1) refuse(`${names(deep)} look like training splits of one data set`, 'Give one of them')
  const [trainFolder] = deep
  if (trainFolder) {
    if (tests.length === 0 && plain.length > 0) {
      refuse(
        `"${trainFolder.path}" looks like a training split, and beside it lie ${some(plain)}, which are no splits`,
        `Give the folder "${trainFolder.path}" in it, or rename it where it is a class`,
      )
    }
    return beside(inner(trainFolder), { tests, others: top.folders.filter((folder) => folder !== trainFolder) })
  }
  const flat = of('train')
  if (flat.length > 0 && tests.length > 0 && plain.length === 0) {
    refuse(
      `${names([...flat, ...tests])} look like splits, and hold no class folders`,
      'Put the training images into a folder for each class',
    )
  }
  const classes = top.folders.filter((folder) => !tests.includes(folder))
  const known = classes.map(className)
  const test = tests.find((folder) => inner(folder).folders.length > 0 && isOf(known)(inner(folder)))
  if (test && classes.length > 1) {
    const others = tests.filter((folder) => folder !== test).map((folder) => ({ folder }))
    return { train: { ...top, folders: classes }, test: inner(test), others }
  }
  const unknown = top.folders.find((folder, i) => kinds[i] === 'test' && folder.folders.length === 0)
  if (unknown && classes.length > 1) {
    refuse(
      `"${unknown.path}" looks like a test split, and holds no class folders`,
      'Move it away, or give it another name where it is a class',
    )
  }
  return { train: top, test: null, others: [] }
}

/** The test split that goes with a training split, and what is left over. */
function beside(
  train: TreeFolder,
  { tests, others }: { tests: readonly TreeFolder[]; others: readonly TreeFolder[] },
): Splits {
  const known = train.folders.map(className)
  const test = tests.find((folder) => inner(folder).folders.some((each) => known.includes(className(each))))
  const reason = 'it is not used: its images lie in no folders of the classes, so that theirs are unknown'
  return {
    train,
    test: test ? inner(test) : null,
    others: others
      .filter((folder) => folder !== test)
      .map((folder) => (!test && tests.includes(folder) ? { folder, reason } : { folder })),
  }
}

const isOf = (known: readonly string[]) => (folder: TreeFolder) =>
  folder.folders.every((each) => known.includes(className(each)))

function refuseTooFew({ path, folders, files }: TreeFolder, refuse: Refuse): void {
  if (new Set(folders.map(className)).size > 1) return
  const images = files.filter(isImage).length
  const where = path === '' ? 'it' : `"${path}"`
  refuse(
    folders.length > 0
      ? `there is only one class folder in ${where}, "${folders[0]?.name}"`
      : images > 0
        ? `there is no class folder in ${where}, but ${plural(images, 'image file')}`
        : `there are no image files in ${where}`,
    'Give each of two or more classes a folder with its images',
  )
}

function labelled(top: TreeFolder, classes: readonly string[], problems: Problem[]): readonly Labelled[] {
  const found: Labelled[] = []
  const labels = new Map(classes.map((name, label) => [name, label]))
  const placed = top.folders.map((folder) => ({ folder, label: labels.get(className(folder)) ?? -1 }))
  for (const { folder, label } of placed.sort((a, b) => a.label - b.label)) {
    if (label < 0) {
      const images = [...filesBelow(folder)].filter(isImage).length
      problems.push({ file: folder.path, reason: `no class of this name is trained on (${plural(images, 'image')})` })
      continue
    }
    for (const file of filesBelow(folder)) {
      if (isImage(file)) found.push({ label, file })
      else problems.push({ file: file.path, reason: 'it is not an image file by its name' })
    }
  }
  return found
}
