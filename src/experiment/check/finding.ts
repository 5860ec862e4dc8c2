import type { ImageSets, Problem } from '../../datasets/dataset.ts'
import type { FileFacts } from '../../datasets/file-facts.ts'

/** A file or image, and where it is used; nulls where it is not. */
export interface Named {
  readonly file: string
  readonly class: string | null
  readonly split: 'train' | 'test' | null
}

/** One thing that is wrong. */
export interface Item {
  /** what is wrong, a phrase */
  readonly says: string
  /** the images or files it is about; empty where it is about a whole class */
  readonly images: readonly Named[]
  /** the classes it is about */
  readonly classes: readonly string[]
  /** for copies: what lies between them */
  readonly across?: readonly ('classes' | 'splits')[]
  /** the figures behind it, by name */
  readonly figures?: Readonly<Record<string, number | string>>
}

/** All that was found of one kind. */
export interface Finding {
  /** the sum of it, a sentence */
  readonly says: string
  readonly items: readonly Item[]
}

/** What is looked at. */
export interface Material {
  /** the images as they would be trained and measured on; null where the data are refused */
  readonly sets: ImageSets | null
  readonly problems: readonly Problem[]
  /** by name; empty for a data set whose images are no files */
  readonly files: ReadonlyMap<string, FileFacts>
}

/** A kind of fault, and how it is looked for. */
export interface Check {
  /** one line for a person */
  readonly title: string
  /** the sum and the items; null where there is nothing to say */
  find(material: Material): Finding | null
}

/** An image in its set. */
export interface Picture extends Named {
  readonly class: string
  readonly split: 'train' | 'test'
  /** its place in the set */
  readonly at: number
  readonly label: number
  /** of images that show one thing, as the frames of a film do; null where the set has no groups */
  readonly group: number | null
}

/** All images, those to train on first. */
export function picturesOf({ sets }: Pick<Material, 'sets'>): readonly Picture[] {
  if (!sets) return []
  return (['train', 'test'] as const).flatMap((split) => {
    const set = sets[split]
    if (!set) return []
    return set.names.map((file, at) => {
      const label = set.labels[at] as number
      return { file, class: set.classes[label] as string, split, at, label, group: set.groups?.[at] ?? null }
    })
  })
}

/** A picture without its place. */
export const nameOf = ({ file, class: name, split }: Named): Named => ({ file, class: name, split })

/** A number and its noun. */
export const plural = (count: number, noun: string, many = `${noun}s`) => `${count} ${count === 1 ? noun : many}`
