// Images whose labels are words in a list, a shard or a column, and not folders. The rules that all such data share:
//
// - Labels are the classes. Whole and decimal numbers are sorted as numbers, other labels by their bytes.
// - The split `test` is measured on, or `val` where there is no `test`. What is left over is told.
// - A test image of a class without training images is refused: the list is not of this training set.
import { UserError } from '../errors.ts'
import type { Problem } from './dataset.ts'
import type { Encoded, EncodedSets } from './encoded.ts'
import { showName } from './file-names.ts'
import { plural } from './refusal.ts'
import type { Split } from './split-names.ts'

/** An image yet to be decoded with its label as it is written. */
export interface Labelled extends Omit<Encoded, 'label'> {
  readonly label: string
  readonly split: Split
}

/** What is known besides the images. */
export interface LabelledOptions {
  /** the user's `--data`, for messages */
  readonly data: string
  /** the classes in their order; where they are not known, those of the training images */
  readonly classes?: readonly string[]
  /** what says nothing usable, each with its place and reason */
  readonly faults: readonly Problem[]
  /** how many should have said something, and what they are called: `line` */
  readonly total: number
  readonly noun: string
  /** the share of them that may be faults */
  readonly maxBroken: number
  /** what else was left out */
  readonly problems?: readonly Problem[]
  readonly notes: readonly string[]
}

/** A label as classes are named; undefined for what says that there is none (nothing, NaN). */
export function labelText(text: string): string | undefined {
  const label = text.trim().normalize('NFC')
  return label === '' || /^[-+]?(?:nan|inf|infinity)$/i.test(label) ? undefined : showName(Buffer.from(label))
}

/** The images as training and test images, with their classes. */
export function labelledSets(images: readonly Labelled[], options: LabelledOptions): EncodedSets {
  const { data, faults, total, noun, maxBroken } = options
  const refuse = (facts: string, remedy: string) => {
    throw new UserError('data', `Cannot load images from "${data}": ${facts}. ${remedy}`)
  }
  const [fault] = faults
  const broken = `${faults.length} of ${plural(total, noun)} are unusable`
  const told = fault ? `${broken}; the first is "${fault.file}": ${fault.reason}` : broken
  if (faults.length > maxBroken * total)
    refuse(`more than a share of ${maxBroken}: ${told}`, 'Repair or remove them, or raise --dataset.max-broken')
  const of = (wanted: Split) => images.filter(({ split }) => split === wanted)
  const train = of('train')
  const [test, unused] = of('test').length > 0 ? [of('test'), of('val')] : [of('val'), []]
  const present = new Set(train.map(({ label }) => label))
  if (present.size < 2) {
    const facts = `the training images there have ${plural(present.size, 'label')}`
    refuse(fault ? `${facts}: ${told}` : facts, 'Give images of two or more classes')
  }
  const classes = options.classes ?? sortedLabels(present)
  const unknown = sortedLabels(new Set([...train, ...test].map(({ label }) => label))).filter(
    (label) => !present.has(label) || !classes.includes(label),
  )
  if (unknown.length > 0) {
    const more = unknown.length > 5 ? ` and ${unknown.length - 5} more` : ''
    refuse(
      `test images have labels that no training image has: ${unknown.slice(0, 5).join(', ')}${more}`,
      `The classes trained on are ${classes.slice(0, 10).join(', ')}${classes.length > 10 ? ', …' : ''}`,
    )
  }
  const places = new Map(classes.map((name, place) => [name, place]))
  const encoded = (each: Labelled): Encoded => ({ ...each, label: places.get(each.label) as number })
  const notes = [...options.notes]
  if (unused.length > 0)
    notes.push(`${plural(unused.length, 'image')} of the split "val" ${unused.length === 1 ? 'is' : 'are'} not used`)
  return {
    data,
    classes,
    problems: [...faults, ...(options.problems ?? [])],
    notes,
    train: train.map(encoded),
    test: test.length === 0 ? null : test.map(encoded),
  }
}

/** Numbers as numbers, others by their bytes. */
export function sortedLabels(labels: Iterable<string>): readonly string[] {
  const byBytes = [...labels].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const numbers = byBytes.every((label) => /^-?\d+(?:\.\d+)?$/.test(label))
  return numbers ? byBytes.sort((a, b) => Number(a) - Number(b)) : byBytes
}
