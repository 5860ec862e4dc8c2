import { z } from 'zod'
import { UserError } from '../../errors.ts'
import { labelText } from '../labelled.ts'
import type { ParquetFile } from './file.ts'

/** Which columns hold images and labels. */
export interface Columns {
  readonly image: string
  readonly label: string
  /** the names of the classes, where the labels are their places */
  readonly classes: readonly string[] | null
}

const imageNames = ['image', 'img', 'picture', 'jpg', 'png']
const labelNames = ['label', 'labels', 'fine_label', 'class']

/** What the hubs' program `datasets` writes into the footer about each column. */
const described = z.object({
  info: z.object({
    features: z.record(
      z.string(),
      z.looseObject({ _type: z.string().optional(), names: z.array(z.string()).optional() }),
    ),
  }),
})
type Features = ReadonlyMap<
  string,
  { readonly kind: string | undefined; readonly names: readonly string[] | undefined }
>

/** The columns of a file; `label` is the user's choice, or empty. A UserError names what there is instead. */
export function columnsOf({ path, metadata }: ParquetFile, label: string): Columns {
  const there = topColumns(metadata.schema)
  const features = featuresIn(metadata.key_value_metadata)
  const ofKind = (kind: string) => there.filter((name) => features.get(name)?.kind === kind)
  const refuse = (what: string, remedy: string) => {
    const names = there.slice(0, 20).join(', ')
    throw new UserError('data', `Cannot load images from "${path}": no column holds ${what} among ${names}. ${remedy}`)
  }
  const image = ofKind('Image')[0] ?? imageNames.find((name) => there.includes(name))
  const classLabels = ofKind('ClassLabel')
  const known = labelNames.find((name) => there.includes(name))
  const chosen = label === '' ? (known ?? classLabels[0]) : there.find((name) => name === label)
  if (image === undefined) return refuse('images', `Name it ${imageNames.slice(0, 2).join(' or ')}`)
  if (chosen === undefined)
    return refuse(label === '' ? 'labels' : `the labels "${label}"`, 'Give its name as --dataset.label')
  const names = features.get(chosen)?.names
  return { image, label: chosen, classes: names ? names.map((name, place) => labelText(name) ?? String(place)) : null }
}

/** Names of the columns, a struct counting as one. The schema is a tree in depth-first order, the root first. */
function topColumns(schema: ParquetFile['metadata']['schema']): readonly string[] {
  const names: string[] = []
  for (let at = 1; at < schema.length; at = after(schema, at)) names.push((schema[at] as { name: string }).name)
  return names
}

/** The place behind an element and all below it. */
function after(schema: ParquetFile['metadata']['schema'], at: number): number {
  let open = 1
  for (; open > 0 && at < schema.length; at++) open += (schema[at]?.num_children ?? 0) - 1
  return at
}

function featuresIn(pairs: ParquetFile['metadata']['key_value_metadata']): Features {
  const text = pairs?.find(({ key }) => key === 'huggingface')?.value
  const found = text === undefined ? undefined : described.safeParse(parsed(text)).data
  const entries = Object.entries(found?.info.features ?? {})
  return new Map(entries.map(([name, { _type: kind, names }]) => [name, { kind, names }]))
}

/** JSON's value; undefined where it is none, since a file without a description is read too. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
