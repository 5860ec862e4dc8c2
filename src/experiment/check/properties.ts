// What a picture or its file is besides what the picture shows. Nothing of it should say the label.
import { borderOf } from './border.ts'
import { type Material, type Picture, picturesOf } from './finding.ts'

/** A property of all training images. Properties of one family say much the same, as width and height do. */
export interface Property {
  readonly name: string
  readonly family: string
  /** one for each training image, in the set's order */
  readonly values: readonly (string | number)[]
}

export function propertiesOf(material: Material): Property[] {
  const { sets, files } = material
  if (!sets) return []
  const pictures = picturesOf(material).filter(({ split }) => split === 'train')
  return [...borderProperties(sets.train), ...(files.size > 0 ? fileProperties(pictures, files) : [])]
}

function borderProperties(set: NonNullable<Material['sets']>['train']): Property[] {
  const borders = Array.from(set.labels, (_, i) => borderOf(set, i))
  const family = 'border'
  return [
    {
      name: 'border all around, pixels',
      family,
      values: borders.map(({ top, bottom, left, right }) => Math.min(top, bottom, left, right)),
    },
    {
      name: 'border above and below, pixels',
      family,
      values: borders.map(({ top, bottom }) => Math.min(top, bottom)),
    },
    { name: 'border at both sides, pixels', family, values: borders.map(({ left, right }) => Math.min(left, right)) },
    ...(['top', 'bottom', 'left', 'right'] as const).map((side) => ({
      name: `border: ${side}, pixels`,
      family,
      values: borders.map((border) => border[side]),
    })),
  ]
}

function fileProperties(pictures: readonly Picture[], files: Material['files']): Property[] {
  const facts = pictures.map(({ file }) => files.get(file))
  const unknown = 'unknown'
  const metadata = [...new Set(facts.flatMap((each) => Object.keys(each?.metadata ?? {})))]
  return [
    { name: 'format', family: 'format', values: facts.map((each) => each?.format ?? unknown) },
    { name: 'bytes', family: 'bytes', values: facts.map((each) => each?.bytes ?? -1) },
    {
      name: 'size in pixels',
      family: 'pixels',
      values: facts.map((each) => (each?.size ? `${each.size.width}×${each.size.height}` : unknown)),
    },
    { name: 'width', family: 'pixels', values: facts.map((each) => each?.size?.width ?? -1) },
    { name: 'height', family: 'pixels', values: facts.map((each) => each?.size?.height ?? -1) },
    {
      name: 'aspect',
      family: 'pixels',
      values: facts.map((each) => (each?.size ? each.size.width / each.size.height : -1)),
    },
    ...metadata.map((name) => ({
      name: `metadata: ${name}`,
      family: `metadata ${name}`,
      values: facts.map((each) => each?.metadata[name] ?? unknown),
    })),
  ]
}
