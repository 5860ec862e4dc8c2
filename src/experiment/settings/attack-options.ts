import type { AttackEntry } from '../../attacks/attack.ts'
import { attacks } from '../../attacks/index.ts'
import { UserError } from '../../errors.ts'
import { check, under } from './check.ts'
import { noSuch } from './did-you-mean.ts'
import { withHashes } from './file-options.ts'

// Options of attacks, which may be made of other attacks with options of their own.

type Options = Readonly<Record<string, unknown>>

/** An attack's options, complete; those of the attacks it is made of follow as `<part>.<option>`. */
export function attackOptions(
  name: string,
  given: Readonly<Record<string, unknown>>,
  source: string,
  prefix = 'attack.',
): Options {
  const entry = attacks[name as keyof typeof attacks] as AttackEntry
  const parts = Object.keys(entry.parts ?? {})
  const chosen = Object.entries(under(prefix, given))
  const ofParts = ([key]: [string, unknown]) => parts.some((part) => key.startsWith(`${part}.`))
  const own = Object.fromEntries(chosen.filter((each) => !ofParts(each)))
  const checked = check(entry.options.strict(), own, { source, prefix })
  const options: Record<string, unknown> = withHashes(entry, checked, prefix)
  for (const part of parts) {
    const other = options[part] as string
    if (!Object.hasOwn(attacks, other)) {
      throw new UserError('usage', `Cannot use ${source}: '${prefix}${part}': ${noSuch(other, Object.keys(attacks))}`)
    }
    const inner = attackOptions(other, given, source, `${prefix}${part}.`)
    const labels = labelsOf(other, inner)
    const allowed = entry.parts?.[part] as readonly string[]
    if (!allowed.includes(labels)) {
      const facts = `its labels are '${labels}', not ${allowed.map((each) => `'${each}'`).join(' or ')}`
      throw new UserError('usage', `Cannot use '${other}' as '${prefix}${part}' of '${name}': ${facts}; choose another`)
    }
    for (const [key, value] of Object.entries(inner)) options[`${part}.${key}`] = value
  }
  return options
}

/** How an attack labels what it poisons, whatever it is made of. */
export function labelsOf(name: string, options: Options): 'dirty' | 'clean' | 'none' {
  const { labels } = attacks[name as keyof typeof attacks] as AttackEntry
  return labels === 'base' ? labelsOf(options.base as string, partOptions(options, 'base')) : labels
}

/** The poisoning rate of an attack unless told otherwise; of one that builds on another, that one's. */
export function usualRate(name: string, options: Options): number {
  const { rate, labels } = attacks[name as keyof typeof attacks] as AttackEntry
  return labels === 'base' ? usualRate(options.base as string, partOptions(options, 'base')) : (rate ?? 0.1)
}

/** The options of one of the attacks that an attack is made of. */
export function partOptions(options: Options, part: string): Options {
  return under(`${part}.`, options)
}
