import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { readCsv } from '../../datasets/read-csv.ts'
import { UserError } from '../../errors.ts'
import { writeAtomically } from '../../files.ts'
import { csv, plainText, textCell } from './csv.ts'

// `decisions.csv` in a run's directory: what a person decided of images, one a line. Images are named as in suspects.csv.

export const decisions = ['keep', 'drop', 'unsure'] as const
export type Decision = (typeof decisions)[number]

/** A decision on an image, and the label that the image had. */
export interface Decided {
  readonly label: string
  readonly decision: Decision
}

const word = z.enum(decisions)
const heads = ['file', 'label', 'decision']

/** Writes decisions, by the images' names. */
export function writeDecisions(path: string, decided: ReadonlyMap<string, Decided>): void {
  const rows = Array.from(decided, ([file, { label, decision }]) => [textCell(file), textCell(label), decision])
  writeAtomically(path, csv([heads, ...rows]))
}

/** Reads decisions, by the images' names; a later line on the same image counts. None where there is no file. */
export function readDecisions(path: string): Map<string, Decided> {
  const decided = new Map<string, Decided>()
  if (!existsSync(path)) return decided
  const [first, ...records] = readCsv(readFileSync(path, 'utf8'))
  const refuse = (line: number, facts: string): never => {
    throw new UserError('data', `Cannot read the decisions '${path}', line ${line}: ${facts}`)
  }
  const place = (name: string) => first?.fields.findIndex((field) => field.trim().toLowerCase() === name) ?? -1
  const [file, label, decision] = heads.map(place) as [number, number, number]
  if (file === -1 || decision === -1) refuse(1, "expected the columns 'file' and 'decision', as 'review' writes them")
  for (const { line, fields, fault } of records) {
    if (fault !== null) refuse(line, fault)
    const said = word.safeParse(fields[decision]?.trim().toLowerCase())
    if (!said.success) return refuse(line, `'${fields[decision] ?? ''}' is no decision; write ${decisions.join(', ')}`)
    const name = plainText(fields[file] ?? '')
    decided.set(name, { label: plainText(fields[label] ?? ''), decision: said.data })
  }
  return decided
}
