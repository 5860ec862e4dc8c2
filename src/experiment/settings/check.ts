import type { z } from 'zod'
import { UserError } from '../../errors.ts'

// Checking a flat record against a schema, and telling a mistake by name with the nearest right one.

/** What is given under a prefix, without it. */
export function under(prefix: string, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const chosen = Object.entries(given).filter(([key]) => key.startsWith(prefix))
  return Object.fromEntries(chosen.map(([key, value]) => [camel(key.slice(prefix.length)), value]))
}

/** The values, with defaults filled in; what is wrong with them is one UserError that names all of it. */
export function check<Schema extends z.ZodObject>(
  schema: Schema,
  values: object,
  source: string,
  prefix: string,
): z.output<Schema> {
  const result = schema.safeParse(values)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => {
    if (issue.code !== 'unrecognized_keys')
      return `'${prefix}${kebab(issue.path.join('.'))}': ${lowerFirst(issue.message)}`
    const known = Object.keys(schema.shape)
    return issue.keys.map((key) => `there is no '${prefix}${kebab(key)}'${didYouMean(key, known, prefix)}`).join('; ')
  })
  throw new UserError('usage', `Cannot use ${source}: ${problems.join('; ')}`)
}

function didYouMean(key: string, known: readonly string[], prefix: string): string {
  const nearest = known
    .map((name) => ({ name, away: distance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.away - b.away)[0]
  if (nearest && nearest.away <= 3) return ` (did you mean '${prefix}${kebab(nearest.name)}'?)`
  return known.length > 0
    ? ` (there are ${known.map((name) => prefix + kebab(name)).join(', ')})`
    : ' (it has no options)'
}

/** Edits that turn one word into the other (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}

export const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const camel = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)
