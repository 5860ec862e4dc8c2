import { copyFileSync, existsSync, mkdirSync, renameSync, statSync, unlinkSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { nameBytes } from '../datasets/file-names.ts'
import { type DatasetName, datasets } from '../datasets/index.ts'
import { UserError } from '../errors.ts'
import { readFlagged } from '../report/suspects.ts'
import { recordedSettings } from './store/recorded-trigger.ts'

/** The files that a run flagged, the most suspicious first. */
export interface FlaggedFiles {
  readonly data: string
  /** as data sets name them, below `data` */
  readonly names: readonly string[]
}

/** Reads what a run flagged among image files. */
export function flaggedFiles(run: string): FlaggedFiles {
  const list = join(run, 'suspects.csv')
  const refuse = (code: 'usage' | 'data', facts: string): never => {
    throw new UserError(code, `Cannot name the files that '${run}' flagged: ${facts}`)
  }
  if (!existsSync(run)) refuse('usage', 'there is no such directory; give that of a finished run')
  if (!existsSync(list)) refuse('usage', 'it has no suspects.csv; give a finished run whose defense flags images')
  const { data: given, dataset } = recordedSettings(run)
  const { folderOf } = datasets[dataset as DatasetName]
  const data = typeof given === 'string' ? folderOf(given) : null
  if (data === null) return refuse('data', 'its images are no files of their own')
  const names = readFlagged(list)
  const missing = names.find((name) => !statSync(pathOf(data, name), { throwIfNoEntry: false })?.isFile())
  if (missing !== undefined) refuse('data', `there is no file '${missing}' in '${data}' (any more)`)
  return { data, names }
}

/** Moves flagged files to a folder outside of the data, into folders of their classes; nothing is moved where that may go wrong. */
export function moveFlagged({ data, names }: FlaggedFiles, to: string): void {
  const refuse = (facts: string): never => {
    throw new UserError('usage', `Cannot move flagged files to '${to}': ${facts}`)
  }
  const inside = !relative(resolve(data), resolve(to)).startsWith('..')
  if (inside) refuse(`it lies in the data, '${data}', and would be trained on again; give a folder outside`)
  const taken = names.find((name) => existsSync(pathOf(to, name)))
  if (taken !== undefined) refuse(`'${taken}' is there already; give another folder`)
  for (const name of names) {
    mkdirSync(pathOf(to, dirname(name)), { recursive: true })
    move(pathOf(data, name), pathOf(to, name))
  }
}

/** The path of a file in a folder, as bytes: not every file name is text. */
const pathOf = (folder: string, name: string) => Buffer.concat([Buffer.from(folder + sep), nameBytes(name)])

function move(from: Buffer, to: Buffer): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    copyFileSync(from, to) // another disk
    unlinkSync(from)
  }
}
