import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { UserError } from '../../errors.ts'

/** The name of the model in a run's directory. */
const saved = 'model.safetensors'

/** The model file meant by a path: the file itself, or the one in a run's directory. */
export function modelFile(path: string): string {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, saved) : path
  if (existsSync(file)) return file
  throw new UserError(
    'usage',
    `Cannot find a model at '${file}': give a model file, or the directory of a finished run`,
  )
}

/** The directory of the run that a model file lies in; undefined for a file by itself. */
export function runOf(file: string): string | undefined {
  const folder = dirname(resolve(file))
  return basename(file) === saved && existsSync(join(folder, 'config.yaml')) ? folder : undefined
}
