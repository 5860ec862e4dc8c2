import { UserError } from '../../errors.ts'
import { type ImageSet, imageSet } from '../../training/images.ts'

/**
 * Images whose classes are some of those that are known, labelled by the places of these names; a UserError where a class is
 * not among them, or where images have another form. `action` is what cannot be done; `whose`
 * the known classes are, and `who` has that form.
 */
export function inClassesOf(
  known: Pick<ImageSet, 'classes' | 'shape'>,
  images: ImageSet,
  { action, whose, who }: { action: string; whose: string; who: string },
): ImageSet {
  const unknown = images.classes.find((name) => !known.classes.includes(name))
  if (unknown !== undefined) {
    const names = known.classes.slice(0, 20).join(', ')
    throw new UserError('data', `${action}: there is no class '${unknown}' among ${whose} (${names})`)
  }
  if (images.shape.join() !== known.shape.join()) {
    const facts = `they are ${images.shape.join('×')}, ${who} ${known.shape.join('×')}`
    throw new UserError('data', `${action}: ${facts}`)
  }
  const place = images.classes.map((name) => known.classes.indexOf(name))
  const labels = images.labels.map((y) => place[y] as number)
  return imageSet({ ...images, labels, classes: known.classes })
}
