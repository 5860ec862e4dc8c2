import { UserError } from '../../errors.ts'
import type { Config } from '../settings/config.ts'

/** The place of the class that an attack aims at, given by its place or its name. */
export function targetOf({ target }: Pick<Config, 'target'>, classes: readonly string[]): number {
  const place = typeof target === 'number' ? target : classes.indexOf(target.normalize('NFC'))
  if (classes[place] !== undefined) return place
  const facts =
    typeof target === 'number'
      ? `class ${target}: there are ${classes.length} classes, counted from 0`
      : `class '${target}': there is none of this name`
  const more = classes.length > 20 ? ', …' : ''
  throw new UserError('usage', `Cannot aim at ${facts} (${classes.slice(0, 20).join(', ')}${more})`)
}

/** A sentence on the class that is aimed at; of a place that is another class's name it says how to give that one. */
export function describeTarget({ target }: Pick<Config, 'target'>, classes: readonly string[]): string {
  const name = classes[targetOf({ target }, classes)] as string
  const other = String(target)
  const isOthersName = typeof target === 'number' && name !== other && classes.includes(other)
  const advice = isOthersName ? `, the one at place ${target}; for class '${other}' give --target '"${other}"'` : ''
  return `the attack aims at class '${name}'${advice}`
}
