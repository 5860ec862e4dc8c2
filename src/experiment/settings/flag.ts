import { parse as parseYaml } from 'yaml'

/** A flag's text means what it would mean in a file: `0.2` a number, `true` a truth value, `grid` a string. */
export function parseFlag(text: string): unknown {
  try {
    const value = parseYaml(text)
    return typeof value === 'object' ? text : value
  } catch {
    return text
  }
}
