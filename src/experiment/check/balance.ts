// How many images each class has.
import type { ImageSet } from '../../training/images.ts'
import { type Check, type Item, plural } from './finding.ts'

/** A class with less than this share of the largest one's images is told. */
const leastShare = 1 / 3
/** A class with fewer training images is told in any case. */
const fewImages = 10

export const imbalance: Check = {
  title: 'classes with far fewer images than others, or with next to none',
  find({ sets }) {
    if (!sets) return null
    const counts = countsOf(sets.train)
    const largest = Math.max(...counts)
    const items = sets.train.classes.flatMap((name, label): Item[] => {
      const count = counts[label] as number
      if (count >= fewImages && count >= leastShare * largest) return []
      const says = `class '${name}' has ${plural(count, 'training image')}, and the largest class ${largest}`
      return [{ says, images: [], classes: [name], figures: { images: count, largest } }]
    })
    if (sets.test) items.push(...withoutTests(sets.test))
    if (items.length === 0) return null
    return { says: `the classes have ${Math.min(...counts)} to ${largest} training images`, items }
  },
}

function withoutTests(test: ImageSet): Item[] {
  const counts = countsOf(test)
  const lacking = test.classes.filter((_, label) => counts[label] === 0)
  return lacking.map((name) => ({ says: `class '${name}' has no test image`, images: [], classes: [name] }))
}

function countsOf({ classes, labels }: ImageSet): number[] {
  const counts = new Array<number>(classes.length).fill(0)
  for (const label of labels) counts[label] = (counts[label] as number) + 1
  return counts
}
