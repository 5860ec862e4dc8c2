import type { Random } from '../../tensor/random.ts'
import { type ImageSet, subset } from '../../training/images.ts'

/**
 * A random so many of each class set apart, both parts in the order given; `apart` is null where nobody is. Images that
 * come in groups go by whole groups, so that no two that show one thing are parted: of a class at least so many then,
 * rounded up to its groups, while every class keeps one.
 */
export function setApart(
  given: ImageSet,
  { random, count }: { random: Random; count: (size: number) => number },
): { kept: ImageSet; apart: ImageSet | null } {
  const { labels, classes } = given
  const rest = countLabels(labels, classes.length)
  const wanted = Array.from(rest, count)
  const companions = companionsIn(given)
  const chosen = new Set<number>()
  for (const i of random.permutation(labels.length)) {
    if (chosen.has(i) || (wanted[labels[i] as number] as number) <= 0) continue
    const group = companions(i)
    const own = group.map((j) => labels[j] as number)
    const empties = own.some((label) => own.filter((other) => other === label).length === rest[label])
    if (group.length > 1 && empties) continue
    for (const label of own) {
      wanted[label] = (wanted[label] as number) - 1
      rest[label] = (rest[label] as number) - 1
    }
    for (const j of group) chosen.add(j)
  }
  if (chosen.size === 0) return { kept: given, apart: null }
  const indices = Int32Array.from(labels.keys())
  return {
    kept: subset(
      given,
      indices.filter((i) => !chosen.has(i)),
    ),
    apart: subset(
      given,
      indices.filter((i) => chosen.has(i)),
    ),
  }
}

function countLabels(labels: Int32Array, classes: number): Int32Array {
  const counts = new Int32Array(classes)
  for (const label of labels) counts[label] = (counts[label] as number) + 1
  return counts
}

/** Of an image, all that are of its group; itself alone where there are no groups. */
function companionsIn({ groups }: ImageSet): (i: number) => readonly number[] {
  if (groups === undefined) return (i) => [i]
  const members = new Map<number, number[]>()
  for (const [i, group] of groups.entries()) {
    const found = members.get(group)
    if (found) found.push(i)
    else members.set(group, [i])
  }
  return (i) => members.get(groups[i] as number) as number[]
}
