// Which folders are splits of one data set, by their names: `train`, `Testing`, `Final_Training`, `test1`, `seg_val`.

export type Split = 'train' | 'test' | 'val'

const words: Readonly<Record<string, Split>> = {
  train: 'train',
  training: 'train',
  trainset: 'train',
  test: 'test',
  testing: 'test',
  testset: 'test',
  val: 'val',
  valid: 'val',
  validation: 'val',
  valset: 'val',
  dev: 'val',
  eval: 'val',
}
/** Words beside a split's that say nothing of a class. */
const neutral = ['final', 'set', 'data', 'dataset', 'split', 'image', 'images', 'img', 'imgs', 'folder', 'seg', 'my']

/** The split that each name means, in the order of `names`; undefined for a name that may be a class's. */
export function splitsOf(names: readonly string[]): readonly (Split | undefined)[] {
  const parts = names.map(partsOf)
  return parts.map((own) => {
    if (own.split === undefined) return undefined
    // `birds_train` is a split beside `birds_test`, and `bullet_train` a class
    const partner = parts.some(({ split, rest }) => split !== undefined && split !== own.split && rest === own.rest)
    return partner || own.others.every((word) => neutral.includes(word)) ? own.split : undefined
  })
}

function partsOf(name: string): { split: Split | undefined; others: readonly string[]; rest: string } {
  const all = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .filter((word) => word !== '')
  const named = all.filter((word) => Object.hasOwn(words, word))
  const others = all.filter((word) => !Object.hasOwn(words, word))
  return { split: named.length === 1 ? words[named[0] as string] : undefined, others, rest: others.join(' ') }
}
