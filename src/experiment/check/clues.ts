// Labels that follow from something other than the picture. For a property and a class, the simplest classifier there is:
// an image is taken for one of the class where its value is more frequent within the class than outside of it,
//
//   P(value | class) > P(value | others),  counted without the image itself (leave one out).
//
// Its balanced accuracy is (true positive rate + true negative rate) / 2, and chance is 1/2. A property is told where this
// is at least 0.8 for a class, and four standard errors above chance.
import { type Check, type Item, type Material, plural } from './finding.ts'
import { type Property, propertiesOf } from './properties.ts'

const leastAccuracy = 0.8
const standardErrors = 4
/** Numbers of more different values are cut into so many ranges of equally many images. */
const ranges = 16

export const labelClues: Check = {
  title: 'labels that follow from files or borders and not from pictures',
  find(material) {
    const items = cluesOf(material)
    if (items.length === 0) return null
    const classes = new Set(items.flatMap((item) => item.classes)).size
    return { says: `${plural(classes, 'class', 'classes')} can be told without looking at the picture`, items }
  },
}

/** The best property of each family for each class. */
function cluesOf(material: Material): Item[] {
  const { sets } = material
  if (!sets) return []
  const { labels, classes } = sets.train
  const best = new Map<string, { clue: Clue; property: Property; label: number }>()
  for (const property of propertiesOf(material)) {
    const cells = cellsOf(property.values)
    classes.forEach((_, label) => {
      const clue = clueOf(cells, labels, label)
      if (!clue) return
      const key = `${property.family} ${label}`
      const known = best.get(key)
      if (!known || clue.accuracy > known.clue.accuracy) best.set(key, { clue, property, label })
    })
  }
  return [...best.values()]
    .sort((a, b) => b.clue.accuracy - a.clue.accuracy)
    .map(({ clue, property, label }) => {
      const name = classes[label] as string
      const told = `${percent(clue.truePositives)} of class '${name}' and ${percent(clue.falsePositives)} of the others`
      return {
        says: `${property.name} ${clue.values}: ${told}; balanced accuracy ${percent(clue.accuracy)}, by chance 50 %`,
        images: [],
        classes: [name],
        figures: {
          property: property.name,
          values: clue.values,
          accuracy: clue.accuracy,
          truePositiveRate: clue.truePositives,
          falsePositiveRate: clue.falsePositives,
        },
      }
    })
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

interface Cells {
  /** the cell of each image */
  readonly of: Int32Array
  /** what the values of each cell are */
  readonly names: readonly string[]
}

/** Values as cells: each value its own, or ranges of numbers. */
function cellsOf(values: readonly (string | number)[]): Cells {
  const different = [...new Set(values)]
  if (different.length > ranges && different.every((value) => typeof value === 'number')) {
    return rangesOf(values as readonly number[])
  }
  const places = new Map(different.map((value, cell) => [value, cell]))
  return { of: Int32Array.from(values, (value) => places.get(value) as number), names: different.map(String) }
}

function rangesOf(values: readonly number[]): Cells {
  const sorted = Float64Array.from(values).sort()
  const limits = Array.from({ length: ranges - 1 }, (_, k) => sorted[Math.floor(((k + 1) * sorted.length) / ranges)])
  const of = Int32Array.from(values, (value) => limits.filter((limit) => value >= (limit as number)).length)
  const shown = (value: number) => String(Number(value.toPrecision(4)))
  const names = Array.from({ length: ranges }, (_, cell) => {
    const own = values.filter((_, i) => of[i] === cell)
    return own.length === 0 ? '' : `${shown(Math.min(...own))} to ${shown(Math.max(...own))}`
  })
  return { of, names }
}

interface Clue {
  readonly accuracy: number
  readonly truePositives: number
  readonly falsePositives: number
  /** values by which an image is taken for one of the class */
  readonly values: string
}

/** Null where the cells do not tell the class. */
function clueOf({ of, names }: Cells, labels: Int32Array, label: number): Clue | null {
  const inside = new Float64Array(names.length)
  const outside = new Float64Array(names.length)
  for (const [i, cell] of of.entries()) {
    const counts = labels[i] === label ? inside : outside
    counts[cell] = (counts[cell] as number) + 1
  }
  const members = inside.reduce((sum, count) => sum + count, 0)
  const others = labels.length - members
  if (members < 2 || others < 2) return null
  let [hits, alarms] = [0, 0]
  const taken: string[] = []
  for (const [cell, name] of names.entries()) {
    const [own, rest] = [inside[cell] as number, outside[cell] as number]
    // without the image itself, which is one of the class or one of the others
    if ((own - 1) / (members - 1) > rest / others) hits += own
    if (own / members > (rest - 1) / (others - 1)) alarms += rest
    if (own / members > rest / others) taken.push(name)
  }
  const [truePositives, falsePositives] = [hits / members, alarms / others]
  const accuracy = (1 + truePositives - falsePositives) / 2
  // of a balanced accuracy at chance: each rate has a standard error of at most 1/(2 √n)
  const error = Math.sqrt(1 / (4 * members) + 1 / (4 * others)) / 2
  if (accuracy < leastAccuracy || accuracy < 1 / 2 + standardErrors * error) return null
  const shown = taken.slice(0, fewValues).join(', ')
  const values = taken.length > fewValues ? `${shown} and ${taken.length - fewValues} more` : shown
  return { accuracy, truePositives, falsePositives, values }
}

const fewValues = 4
