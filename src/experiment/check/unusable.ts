// Files and folders that give no image, and files that are not what their names say.
import { emptyClassReasons, type Problem } from '../../datasets/dataset.ts'
import type { FileFacts } from '../../datasets/file-facts.ts'
import { type Check, type Item, type Material, plural } from './finding.ts'

type Kind = 'empty' | 'wrong type' | 'truncated' | 'unreadable' | 'left out'

/** What kind of fault a problem is: its file tells, where the data set knows its files. */
function kindOf({ file, reason }: Problem, files: ReadonlyMap<string, FileFacts>): Kind {
  const facts = files.get(file)
  if (isEmptyClass(reason)) return 'empty'
  if (!facts) return 'left out'
  if (facts.bytes === 0 || facts.truncated) return 'truncated'
  // a file that has a size for those who read its head is an image, and something else is wrong
  return facts.size === null && facts.format !== formatByName(file) ? 'wrong type' : 'unreadable'
}

const isEmptyClass = (reason: string) => (Object.values(emptyClassReasons) as string[]).includes(reason)

function itemsOf({ problems, files }: Material, kind: Kind): Item[] {
  const own = problems.filter((problem) => kindOf(problem, files) === kind)
  return own.map(({ file, reason }) => ({
    says: reason,
    images: [{ file, class: null, split: null }],
    classes: isEmptyClass(reason) ? [file] : [],
  }))
}

function check(kind: Kind, title: string, sum: (count: number) => string): Check {
  return {
    title,
    find(material) {
      const items = itemsOf(material, kind)
      return items.length === 0 ? null : { says: sum(items.length), items }
    },
  }
}

export const unreadable = check(
  'unreadable',
  'images that cannot be decoded',
  (count) => `${plural(count, 'image file')} cannot be decoded`,
)

export const truncated = check(
  'truncated',
  'image files that are empty or end too early',
  (count) => `${plural(count, 'image file')} ${count === 1 ? 'is' : 'are'} empty or cut short`,
)

export const leftOut = check(
  'left out',
  'files and folders that are not used, by a stated rule',
  (count) => `${plural(count, 'file or folder', 'files or folders')} ${count === 1 ? 'is' : 'are'} not used`,
)

export const emptyClass = check(
  'empty',
  'class folders without a usable image',
  (count) => `${plural(count, 'class folder')} ${count === 1 ? 'gives' : 'give'} no image`,
)

export const wrongType: Check = {
  title: 'files whose content is not what their names say',
  find(material) {
    const { problems, files } = material
    const refused = new Set(problems.map(({ file }) => file))
    const misnamed = [...files.values()].filter(({ name, format }) => {
      const told = formatByName(name)
      return !refused.has(name) && format !== null && told !== undefined && told !== format
    })
    const items = [
      ...itemsOf(material, 'wrong type'),
      ...misnamed.map(({ name, format }) => ({
        says: `its content is ${format}, and is read as such`,
        images: [{ file: name, class: null, split: null }],
        classes: [],
      })),
    ]
    if (items.length === 0) return null
    return {
      says: `${plural(items.length, 'file')} ${items.length === 1 ? 'is' : 'are'} not what the name says`,
      items,
    }
  },
}

const formats: readonly (readonly [endings: RegExp, format: string])[] = [
  [/\.(jpe?g|jpe|jfif)$/i, 'jpeg'],
  [/\.png$/i, 'png'],
  [/\.webp$/i, 'webp'],
  [/\.gif$/i, 'gif'],
  [/\.tiff?$/i, 'tiff'],
  [/\.avif$/i, 'avif'],
  [/\.p[pn]m$/i, 'ppm'],
  [/\.bmp$/i, 'bmp'],
  [/\.svg$/i, 'svg'],
  [/\.hei[cf]$/i, 'heif'],
  [/\.jxl$/i, 'jxl'],
]

const formatByName = (name: string) => formats.find(([endings]) => endings.test(name))?.[1]
