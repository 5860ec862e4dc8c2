import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.ts'

/** The model file meant by a path: the file itself, or the one in a run's directory. */
export function modelFile(path: string): string {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'model.safetensors') : path
  if (!existsSync(file))
    throw new UserError(
      'usage',
      `Cannot find a model at '${file}': give a model file, or the directory of a finished run`,
    )
  return file
}
