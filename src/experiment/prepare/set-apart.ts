import type { Random } from '../../tensor/random.ts'
import { type ImageSet, subset } from '../../training/images.ts'

/** A random so many of each class set apart, both parts in the order given; `apart` is null where nobody is. */
export function setApart(
  given: ImageSet,
  { random, count }: { random: Random; count: (size: number) => number },
): { kept: ImageSet; apart: ImageSet | null } {
  const left = given.classes.map((_, k) => count(given.labels.filter((label) => label === k).length))
  const chosen = new Set<number>()
  for (const i of random.permutation(given.labels.length)) {
    const label = given.labels[i] as number
    if ((left[label] as number) <= 0) continue
    left[label] = (left[label] as number) - 1
    chosen.add(i)
  }
  if (chosen.size === 0) return { kept: given, apart: null }
  const indices = Int32Array.from(given.labels.keys())
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
