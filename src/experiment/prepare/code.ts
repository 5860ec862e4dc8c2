import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

// What is learned by other code is something else: the keys of the cache hold hashes of the program's own code.

const extension = import.meta.url.slice(-3)
const importing = /\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g

/** The file of an entry of a catalogue. */
export function fileOf(catalogue: string, entry: string): string {
  return new URL(`../../${catalogue}/${entry}${extension}`, import.meta.url).href
}

/** A hash of all code in one room. */
export function codeOfRoom(room: string): string {
  const folder = new URL(`../../${room}/`, import.meta.url)
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const files = all.filter((file) => /\.[jt]s$/.test(file) && !/\.(test|d)\./.test(file))
  return hashOf(files.map((file) => new URL(file, folder).href))
}

/** A hash of one file and of what it imports, directly or not, from the folder it lies in. */
export function codeOf(file: string): string {
  return hashOf(withImports(file))
}

/** A file and what it imports, directly or not, from the folder it lies in. */
export function withImports(file: string): string[] {
  const room = new URL('.', file).href
  const found = new Set([file])
  for (const each of found) {
    for (const [, target = ''] of readFileSync(new URL(each), 'utf8').matchAll(importing)) {
      const other = new URL(target, each).href
      if (other.startsWith(room)) found.add(other)
    }
  }
  return [...found]
}

function hashOf(files: readonly string[]): string {
  const root = new URL('../../', import.meta.url).href
  const hash = createHash('sha256')
  for (const file of [...files].sort()) hash.update(file.replace(root, '')).update(readFileSync(new URL(file)))
  return hash.digest('hex')
}
