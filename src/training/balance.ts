import type { Random } from '../tensor/random.ts'

/**
 * A list as long as the one given in which every label that has images comes equally often, up to one: of a label with many
 * images a random part of them, of a label with few all of them again and again. Sorted by label.
 */
export function balance(list: Int32Array, { labels, random }: { labels: Int32Array; random: Random }): Int32Array {
  const groups = byLabel(list, labels)
  const [quota, rest] = [Math.floor(list.length / groups.length), list.length % groups.length]
  const lucky = new Set(random.fork('rest').permutation(groups.length).subarray(0, rest))
  const drawn = groups.flatMap((group, k) =>
    again(group, quota + (lucky.has(k) ? 1 : 0), random.fork(`label ${labels[group[0] as number]}`)),
  )
  return Int32Array.from(drawn)
}

/** The images of each label that has some, by ascending label. */
function byLabel(list: Int32Array, labels: Int32Array): number[][] {
  const groups = new Map<number, number[]>()
  for (const image of list) {
    const label = labels[image] as number
    const group = groups.get(label)
    if (group) group.push(image)
    else groups.set(label, [image])
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group)
}

/** So many of a group: each image once, in random order, before one comes again. */
function again(group: readonly number[], count: number, random: Random): number[] {
  const drawn: number[] = []
  while (drawn.length < count) {
    const order = random.fork(`pass ${drawn.length}`).permutation(group.length)
    for (const place of order.subarray(0, count - drawn.length)) drawn.push(group[place] as number)
  }
  return drawn
}
