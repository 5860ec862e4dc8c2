// The images of a track show one sign, from far to near: whoever parts them between training and measuring measures
// memory. `<track>_<frame>.ppm` says which track of its class an image belongs to.
import { UserError } from '../../errors.ts'
import type { Encoded, EncodedSets } from '../encoded.ts'
import type { TreeFile } from '../folder-tree.ts'

/** A class may have so many tracks, and so many classes fit. */
const mostTracks = 20_000

/** The images of a class folder, each with the number of its track; a file of another name is a track of its own. */
export function tracks(
  classFolder: string,
  files: readonly TreeFile[],
  encode: (file: TreeFile) => Encoded,
): readonly Encoded[] {
  const numbers = new Map<string, number>()
  return files.map((file) => {
    const [, track = file.path] = /\/(\d+)_\d+\.\w+$/.exec(file.path) ?? []
    const number = numbers.get(track) ?? numbers.size
    numbers.set(track, number)
    return { ...encode(file), group: Number(classFolder) * mostTracks + number }
  })
}

/** Measures on the last `count` tracks of each class, and trains on the others. */
export function withTracksHeldOut(sets: EncodedSets, count: number): EncodedSets {
  const held = new Set<number>()
  for (const [label, name] of sets.classes.entries()) {
    const own = new Set(sets.train.filter((image) => image.label === label).map(({ group }) => group as number))
    if (count >= own.size) {
      const facts = `"${name}" has ${own.size}`
      throw new UserError('usage', `Cannot hold out ${count} tracks of each class: ${facts}; give a smaller number`)
    }
    for (const group of [...own].slice(-count)) held.add(group)
  }
  const isHeld = ({ group }: Encoded) => held.has(group as number)
  return {
    ...sets,
    train: sets.train.filter((image) => !isHeld(image)),
    test: sets.train.filter(isHeld),
    notes: [...sets.notes, `measured on the last ${count} tracks of each class, not on the test images`],
  }
}
