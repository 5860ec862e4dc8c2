import type { z } from 'zod'
import { UserError } from '../../errors.ts'
import { didYouMean, noSuch } from './did-you-mean.ts'

// Checking a flat record against a schema, and telling a mistake by name with the nearest right one.

/** What is given under a prefix, without it. */
export function under(prefix: string, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const chosen = Object.entries(given).filter(([key]) => key.startsWith(prefix))
  return Object.fromEntries(chosen.map(([key, value]) => [camel(key.slice(prefix.length)), value]))
}

/**
 * The values, with defaults filled in; what is wrong with them is one UserError that names all of it. `others` are names
 * that stand elsewhere and may have been meant.
 */
export function check<Schema extends z.ZodObject>(
  schema: Schema,
  values: object,
  { source, prefix, others = [] }: { source: string; prefix: string; others?: readonly string[] },
): z.output<Schema> {
  const result = schema.safeParse(values)
  if (result.success) return result.data
  const problems = result.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => {
        const own = Object.keys(schema.shape).map((name) => prefix + kebab(name))
        return `there is no '${prefix}${kebab(key)}'${instead(prefix + key, own, others)}`
      })
    const given = issue.path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)?.[key], values)
    return `'${prefix}${kebab(issue.path.join('.'))}': ${expected(issue, given)}`
  })
  throw new UserError('usage', `Cannot use ${source}: ${problems.join('; ')}`)
}

function instead(key: string, own: readonly string[], others: readonly string[]): string {
  const close = didYouMean(key, [...own, ...others])
  if (close) return ` (${close})`
  return own.length > 0 ? ` (there are ${own.join(', ')})` : ' (it has no options)'
}

type Issue = z.core.$ZodIssue

/** What a value had to be, in plain words, and what it was. */
function expected(issue: Issue, given: unknown): string {
  const was = given === undefined ? '' : `, not ${typeof given === 'string' ? `'${given}'` : JSON.stringify(given)}`
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${kinds[issue.expected] ?? issue.expected}${was}`
    case 'invalid_value':
      if (given === undefined) return `choose one of ${issue.values.join(', ')}`
      return noSuch(String(given), issue.values.map(String))
    case 'too_small':
      return `expected ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${was}`
    case 'too_big':
      return `expected ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${was}`
    default:
      return issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
  }
}

const kinds: Readonly<Record<string, string>> = {
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  string: 'a word',
}
export const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const camel = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
