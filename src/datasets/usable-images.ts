// What is made of an image folder once its files are decoded: enough of them must be usable, and show something.
import { type ImageSet, imageSet, subset } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import { type Dataset, emptyClassReasons, type ImageSets, type Problem } from './dataset.ts'
import { refusal } from './refusal.ts'

interface BrokenOptions {
  /** image files, usable or not */
  readonly total: number
  /** the share of them that may be unusable */
  readonly maxBroken: number
  /** what was left out before anything was decoded */
  readonly problems: readonly Problem[]
}

/** Every image may be broken but for those that training cannot do without. */
export function refuseTooBroken(
  data: string,
  { train, test, problems }: Omit<Dataset, 'notes'>,
  options: BrokenOptions,
): void {
  const { total, maxBroken } = options
  const refuseFor = refusal(data, [...options.problems, ...problems])
  const refuse = (facts: string, remedy: string) => {
    const [first] = problems
    refuseFor(first === undefined ? facts : `${facts}; the first is "${first.file}": ${first.reason}`, remedy)
  }
  const broken = `${problems.length} of ${total} image files are unusable`
  const trained = new Set(train.labels).size
  if (trained < 2)
    refuse(`${trained === 0 ? 'no class' : 'only one class'} has usable images: ${broken}`, 'Repair some')
  if (test?.labels.length === 0) refuse(`no test image is usable: ${broken}`, 'Repair some')
  if (problems.length > maxBroken * total) {
    refuse(`${broken}, more than a share of ${maxBroken}`, 'Repair or remove them, or raise --dataset.max-broken')
  }
}

/** The sets without classes of which no training image is usable: a model must not answer by one. Such are told. */
export function withoutUnusedClasses({ train, test }: ImageSets, problems: Problem[]): ImageSets {
  const used = new Set(train.labels)
  if (used.size === train.classes.length) return { train, test }
  const kept = train.classes.filter((_, label) => used.has(label))
  const reason = emptyClassReasons.noneUsable
  for (const name of train.classes) if (!kept.includes(name)) problems.push({ file: name, reason })
  return { train: ofClasses(train, kept), test: test && ofClasses(test, kept) }
}

/** The images of these classes, labelled by their places. */
function ofClasses(set: ImageSet, classes: readonly string[]): ImageSet {
  const places = Int32Array.from(set.classes, (name) => classes.indexOf(name))
  const placeOf = (i: number) => places[set.labels[i] as number] as number
  const indices = Int32Array.from(set.labels.keys()).filter((i) => placeOf(i) >= 0)
  return imageSet({ ...subset(set, indices), labels: indices.map(placeOf), classes })
}

/** A warning where nearly all images are of one color each, as drawings in black on a transparent ground are on black. */
export function warnOfFlatness({ rows, shape }: ImageSet, ground: 'black' | 'white'): readonly string[] {
  const [channels] = shape
  const count = rows.at.length
  const read = rowReader(rows)
  const isFlat = (image: number) => read(image).every((value, k, row) => value === row[k % channels])
  const flat = rows.at.reduce((sum, _, image) => sum + (isFlat(image) ? 1 : 0), 0)
  if (flat < mostlyFlat * count) return []
  const other = ground === 'black' ? 'white' : 'black'
  return [
    `warning: ${flat} of ${count} training images are one flat color once decoded; where they are drawings on a transparent ground, give --dataset.ground ${other}`,
  ]
}

/** the share of flat images at which they are told */
const mostlyFlat = 0.9
