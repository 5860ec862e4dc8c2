// Names that a mistyped one may have been meant for.

/** `there is no 'badnet' (did you mean 'badnets'?); use none, badnets, …`: a value that is none of these. */
export function noSuch(given: string, choices: readonly string[]): string {
  const close = didYouMean(given, choices)
  return `there is no '${given}'${close ? ` (${close})` : ''}; use ${choices.join(', ')}`
}

/** `did you mean 'dataset.size'?`, or nothing where no name is near. */
export function didYouMean(given: string, names: readonly string[]): string {
  const ranked = names.map((name) => ({ name, away: away(given, name) })).sort((a, b) => a.away - b.away)
  const nearest = ranked[0]?.away ?? Number.POSITIVE_INFINITY
  if (nearest > 1 / 3) return ''
  const best = ranked.filter(({ away }) => away === nearest).slice(0, 3)
  return `did you mean ${best.map(({ name }) => `'${name}'`).join(' or ')}?`
}

/** From 0, the same name, over spelling, a name without its kind and initials, to 1: the share of letters to change. */
function away(given: string, name: string): number {
  const [word, other] = [normal(given), normal(name)]
  if (word === other) return 0
  const last = other.split('.').at(-1) as string
  if (word === last) return 0.01
  const parts = last.split('-')
  if (parts.length > 1 && word === parts.map((part) => part[0]).join('')) return 0.02
  return Math.min(share(word, other), 0.01 + share(word, last))
}

const share = (a: string, b: string) => distance(a, b) / Math.max(a.length, b.length, 1)
const normal = (name: string) =>
  name
    .replace(/([a-z])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase()

/** Edits that turn one word into the other, a swap of neighbors being one (optimal string alignment). */
function distance(a: string, b: string): number {
  let [above, row]: number[][] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const at = (line: readonly number[] | undefined, place: number) => line?.[place] ?? Number.POSITIVE_INFINITY
      const replaced = at(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(above, j - 2) + 1 : Number.POSITIVE_INFINITY
      next.push(Math.min(replaced, swapped, at(row, j) + 1, at(next, j - 1) + 1))
    }
    above = row
    row = next
  }
  return row?.[b.length] ?? a.length
}
