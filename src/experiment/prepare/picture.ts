import { existsSync } from 'node:fs'
import type { Picture } from '../../attacks/attack.ts'
import { decodePicture } from '../../datasets/decode-picture.ts'
import { UserError } from '../../errors.ts'
import { writeAtomically } from '../../files.ts'
import { readNamedFile } from '../settings/file-options.ts'

/**
 * The picture that an option of an attack names, at a width; null where none is named. A run keeps a copy of the file, which
 * is read from then on: the run can be measured wherever the first file has gone.
 */
export async function pictureOf(
  options: Readonly<Record<string, unknown>>,
  { option, width, kept }: { option: string; width: number; kept: ((name: string) => string) | undefined },
): Promise<Picture | null> {
  const [path, hash] = [options[option], options[`${option}Hash`]]
  if (typeof hash !== 'string') return null
  const copy = kept?.(`${option}${extensionOf(path)}`)
  const held = copy !== undefined && existsSync(copy)
  const source = held ? copy : path
  if (typeof source !== 'string') throw new UserError('usage', missing(option, hash))
  const bytes = readNamedFile(source, { hash, option: `--attack.${option}` })
  try {
    const picture = await decodePicture(bytes, width)
    if (copy !== undefined && !held) writeAtomically(copy, [bytes])
    return picture
  } catch (error) {
    if (error instanceof UserError)
      throw new UserError(
        'data',
        `Cannot use '${source}' as a picture: ${error.message}; give another by --attack.${option}`,
      )
    throw error
  }
}

const missing = (option: string, hash: string) =>
  `Cannot draw the trigger: no file is named that holds ${hash}; give it by --attack.${option}`

/** `.png` of a file so named, else nothing. */
const extensionOf = (path: unknown) =>
  typeof path === 'string' ? (/\.\w{1,5}$/.exec(path)?.[0].toLowerCase() ?? '') : ''
