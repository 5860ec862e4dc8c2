import { existsSync, readdirSync, statSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Problem } from '../../datasets/dataset.ts'
import { showName } from '../../datasets/file-names.ts'
import { filesBelow, readTree, treePath } from '../../datasets/folder-tree.ts'
import { isImage } from '../../datasets/image-names.ts'

/** A file to classify. */
export interface ImageFile {
  /** as data sets name files: a newline is `\x0a` */
  readonly name: string
  readonly path: string | Buffer
  /** why there is nothing to read, where that is known */
  readonly problem?: string
}

/**
 * The files that words stand for, in order: files themselves, the images in folders and in the folders therein, and what
 * matches a pattern that no shell has replaced (`photos/*.jpg`, with `*` and `?`).
 */
export async function findImages(words: readonly string[]): Promise<ImageFile[]> {
  const found: ImageFile[] = []
  for (const word of words) {
    const meant = existsSync(word) || !/[*?]/.test(word) ? [word] : matching(word)
    if (meant.length === 0) found.push({ ...named(word), problem: 'no file matches the pattern' })
    for (const path of meant) found.push(...(isFolder(path) ? await imagesIn(path) : [named(path)]))
  }
  return found
}

const named = (path: string) => ({ name: showName(Buffer.from(path)), path })
const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory()

async function imagesIn(folder: string): Promise<ImageFile[]> {
  const root = await realpath(Buffer.from(folder), { encoding: 'buffer' })
  const problems: Problem[] = []
  const tree = await readTree(root, problems)
  const at = (path: string) => join(named(folder).name, path)
  const images = Array.from(filesBelow(tree)).filter(isImage)
  if (images.length + problems.length === 0) return [{ ...named(folder), problem: 'there are no image files in it' }]
  return [
    ...images.map(({ path, target }) => ({ name: at(path), path: target ?? treePath(root, path) })),
    ...problems.map(({ file, reason }) => ({ name: at(file), path: treePath(root, file), problem: reason })),
  ]
}

/** What is there that matches a pattern part by part, sorted; hidden names only where the pattern begins with a dot. */
function matching(pattern: string): string[] {
  const [first = '', ...rest] = pattern.split('/')
  const start = first === '' ? ['/'] : step([''], first)
  return rest.filter((part) => part !== '').reduce(step, start)
}

function step(folders: readonly string[], part: string): string[] {
  if (!/[*?]/.test(part)) return folders.map((folder) => join(folder, part)).filter(existsSync)
  const pieces = part.split(/([*?])/).map((piece) => (piece === '*' ? '.*' : piece === '?' ? '.' : literal(piece)))
  const name = new RegExp(`^${pieces.join('')}$`, 'su')
  return folders
    .filter((folder) => folder === '' || isFolder(folder))
    .flatMap((folder) =>
      readdirSync(folder === '' ? '.' : folder)
        .filter((each) => name.test(each) && each.startsWith('.') === part.startsWith('.'))
        .sort()
        .map((each) => join(folder, each)),
    )
}

const literal = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
