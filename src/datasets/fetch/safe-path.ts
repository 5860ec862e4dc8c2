import { UserError } from '../../errors.ts'

export interface Inside {
  /** what the archive's paths are taken in */
  readonly into: string | undefined
  /** the folder that all files must be in */
  readonly folder: string
}

/**
 * The path of an archive's entry, relative to where all is unpacked: plain names between slashes, inside of the folder.
 * A UserError for any other, whose message is the reason.
 */
export function safePath(name: string, { into, folder }: Inside): string {
  const shown = JSON.stringify(name)
  const refuse = (reason: string) => new UserError('data', `it holds ${shown}, ${reason}`)
  const plain = name.replace(/^\.\//, '').replace(/\/$/, '')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  if (/[\\:\u0000-\u001f\u007f]/.test(plain)) throw refuse('a name that a file system may read as another')
  if (name.startsWith('/')) throw refuse('an absolute path')
  const parts = plain.split('/')
  if (parts.includes('..')) throw refuse('a path that leads out')
  if (parts.some((part) => part === '' || part === '.' || part.length > longestName)) throw refuse('a broken path')
  const path = into === undefined ? plain : `${into}/${plain}`
  if (path !== folder && !path.startsWith(`${folder}/`)) throw refuse(`which is not in "${folder}"`)
  return path
}

const longestName = 255
