import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { nameBytes, showName } from '../datasets/file-names.ts'
import { type DatasetName, datasets } from '../datasets/index.ts'
import { UserError } from '../errors.ts'
import { writeAtomically } from '../files.ts'
import { suspectsOf } from './review.ts'
import { readDecisions } from './store/decisions.ts'
import { requireWritable } from './store/new-folders.ts'
import { recordedSettings } from './store/recorded-trigger.ts'

/** What a clean list holds. */
export interface CleanList {
  readonly run: string
  readonly out: string
  readonly kept: number
  readonly leftOut: { readonly dropped: number; readonly unsure: number; readonly undecided: number }
  /** files whose names no list can hold: they are no text */
  readonly unnamed: readonly string[]
}

/**
 * Writes the images of a run that are to be kept as a list of paths and labels, which the data set `manifest` and other tools
 * read. Left out are images to drop, unsure ones, and flagged ones without a decision. No image is copied or touched.
 */
export function writeCleanList(run: string, out: string): CleanList {
  const refuse = (code: 'usage' | 'data', facts: string): never => {
    throw new UserError(code, `Cannot write the clean list '${out}': ${facts}`)
  }
  const form = /\.(csv|jsonl)$/i.exec(out)?.[1]?.toLowerCase()
  if (form === undefined) refuse('usage', 'its name must end in .csv or .jsonl')
  if (existsSync(out)) refuse('usage', 'there is such a file already; give another name')
  const suspects = suspectsOf(run, 'list the clean images of')
  const { data: given, dataset } = recordedSettings(run)
  const { folderOf } = datasets[dataset as DatasetName]
  const data = typeof given === 'string' ? folderOf(given) : null
  if (data === null)
    return refuse('data', "the run's images are no files of their own; train --without takes its decisions.csv")
  const folder = relative(dirname(resolve(out)), resolve(data))
  if (folder.startsWith('..'))
    refuse('usage', `a list names files below its own folder only; put it into '${resolve(data)}' or a folder above`)
  requireWritable(dirname(resolve(out)), 'choose another folder')

  const decided = readDecisions(join(run, 'decisions.csv'))
  const leftOut = { dropped: 0, unsure: 0, undecided: 0 }
  const rows: { path: string; label: string }[] = []
  const unnamed: string[] = []
  for (const { file, label, flagged } of suspects) {
    const decision = decided.get(file)?.decision
    const path = textOf(file)
    if (decision === 'drop') leftOut.dropped++
    else if (decision === 'unsure') leftOut.unsure++
    else if (decision === undefined && flagged) leftOut.undecided++
    else if (path === null) unnamed.push(file)
    else rows.push({ path: join(folder, path), label: textOf(label) ?? label })
  }
  rows.sort((a, b) => (a.path < b.path ? -1 : 1)) // the order of scores is nobody's matter
  writeAtomically(out, form === 'csv' ? asCsv(rows, out) : rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return { run: resolve(run), out: resolve(out), kept: rows.length, leftOut, unnamed }
}

/** The name as text; null where its bytes are none. */
function textOf(name: string): string | null {
  const bytes = nameBytes(name)
  const text = bytes.toString('utf8')
  return Buffer.from(text).equals(bytes) && showName(bytes) === name ? text : null
}

/** Cells that programs read back as they are, and of which none begins a formula. */
function asCsv(rows: readonly { readonly path: string; readonly label: string }[], out: string): string {
  const formula = /^[=+\-@\t\r\n]/
  const risky = rows.find(({ label }) => formula.test(label) && Number.isNaN(Number(label)))
  if (risky) {
    const facts = `a spreadsheet would take the label '${risky.label}' for a formula; write .jsonl`
    throw new UserError('usage', `Cannot write the clean list '${out}': ${facts}`)
  }
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`
  const lines = rows.map(({ path, label }) => `${cell(formula.test(path) ? `./${path}` : path)},${cell(label)}\n`)
  return `path,label\n${lines.join('')}`
}
