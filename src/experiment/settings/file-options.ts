import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { attacks } from '../../attacks/index.ts'
import { UserError } from '../../errors.ts'
import { models } from '../../models/index.ts'
import { kebab } from './check.ts'

// Options of entries that name a file (`attack.image`, `model.weights`). What the file holds is part of what is run, where
// it lies is not: beside each such option stands one with a hash, `attack.image-hash`.

/** An entry that says which of its options name a file; each has another option of the name and `Hash`. */
export interface NamingFiles {
  readonly files?: readonly string[]
}

const catalogues: Readonly<Record<string, Readonly<Record<string, NamingFiles>>>> = { attack: attacks, model: models }

/** Whether a setting names a file: `attack.image`, and `attack.base.image` of an attack that is made of others. */
export function namesFile(setting: string): boolean {
  const [kind = '', ...rest] = setting.split('.')
  const entries = Object.values(catalogues[kind] ?? {})
  return entries.some(({ files = [] }) => files.some((option) => kebab(option) === rest.at(-1)))
}

/**
 * An entry's options with the hash of each file that is named and has none yet, behind its name, as the schema has them; a file
 * that cannot be read is a UserError.
 */
export function withHashes<Options extends Readonly<Record<string, unknown>>>(
  { files = [] }: NamingFiles,
  options: Options,
  prefix: string,
): Options {
  const entries = Object.entries(options).flatMap(([option, value]) => {
    const hash = `${option}Hash`
    if (!files.includes(option) || typeof value !== 'string' || options[hash] !== undefined) return [[option, value]]
    return [
      [option, value],
      [hash, hashOfFile(value, `--${prefix}${kebab(option)}`)],
    ]
  })
  return Object.fromEntries(entries)
}

/** The bytes of a file that an option names; a UserError where they are not the ones that were hashed. */
export function readNamedFile(path: string, { hash, option }: { hash: string; option: string }): Uint8Array {
  const bytes = read(path, option)
  const found = digest(bytes)
  if (found === hash) return bytes
  const facts = `it holds ${found}, and ${hash} is asked for`
  throw new UserError('verification', `Cannot use '${path}' as ${option}: ${facts}; restore the file, or begin anew`)
}

/** Options without the paths of files, by which no two runs differ; names as in a record, `image` or `base.image`. */
export function withoutFiles(kind: 'attack' | 'model', options: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !namesFile(`${kind}.${kebab(name)}`)))
}

/** Options with absolute paths. */
export function withAbsoluteFiles(kind: 'attack' | 'model', options: Readonly<Record<string, unknown>>) {
  const absolute = (name: string, value: unknown) =>
    typeof value === 'string' && namesFile(`${kind}.${kebab(name)}`) ? resolve(value) : value
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, absolute(name, value)]))
}

const hashOfFile = (path: string, option: string) => digest(read(path, option))

/** `sha256-` and 16 digits: a word, and no number, wherever it is written. */
const digest = (bytes: Uint8Array) => `sha256-${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`

function read(path: string, option: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const facts = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message
    throw new UserError('usage', `Cannot read '${path}': ${facts}; give another one by ${option}`)
  }
}
