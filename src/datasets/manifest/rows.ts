import { UserError } from '../../errors.ts'
import type { Problem } from '../dataset.ts'
import { showName } from '../file-names.ts'
import { jsonRecords } from '../json-records.ts'
import { labelText } from '../labelled.ts'
import { type CsvRecord, readCsv } from '../read-csv.ts'
import { type Split, splitsOf } from '../split-names.ts'
import { readTextFile } from '../text-file.ts'

/** What a line says of an image. */
export interface Row {
  /** from 1 */
  readonly line: number
  /** as written, by showName */
  readonly path: string
  readonly label: string
  readonly split: Split
}

export interface Rows {
  readonly rows: readonly Row[]
  /** lines that say nothing usable, each with its number */
  readonly faults: readonly Problem[]
  /** lines that should have said something */
  readonly total: number
}

/** The words for each column or key, in small letters. */
const words = {
  path: ['path', 'file', 'filename', 'file_name', 'image'],
  label: ['label', 'class'],
  split: ['split', 'set'],
} as const
type Column = keyof typeof words

/** A line's own words, or why there are none. */
export interface Said {
  readonly line: number
  readonly fault: string | null
  readonly said: ReadonlyMap<Column, string>
}

/** The lines of a list; a UserError where it names no paths or no labels at all. */
export function readRows(file: string): Rows {
  const text = readTextFile(file)
  const rows: Row[] = []
  const faults: Problem[] = []
  const lines = /\.(jsonl|ndjson)$/i.test(file) ? fromJson(text) : fromCsv(text, file)
  for (const { line, fault, said } of lines) {
    const row = fault ?? rowOf(said)
    if (typeof row === 'string') faults.push({ file: `${file}:${line}`, reason: row })
    else rows.push({ line, ...row })
  }
  return { rows, faults, total: lines.length }
}

function rowOf(said: Said['said']): Omit<Row, 'line'> | string {
  const path = said.get('path')?.trim() ?? ''
  if (path === '') return 'it names no image'
  const label = labelText(said.get('label') ?? '')
  if (label === undefined) return 'it has no label'
  const given = said.get('split')?.trim() ?? ''
  const split = given === '' ? 'train' : splitsOf([given])[0]
  if (split === undefined) return `its split is none of train, test and val, but "${showName(Buffer.from(given))}"`
  return { path: showName(Buffer.from(path)), label, split }
}

/** Which column a header's or key's word names. */
function columnOf(word: string): Column | undefined {
  const name = word.trim().toLowerCase()
  return (Object.keys(words) as Column[]).find((column) => (words[column] as readonly string[]).includes(name))
}

function fromCsv(text: string, file: string): readonly Said[] {
  const [first = ''] = text.split(/[\r\n]/, 1)
  const separator = [',', ';', '\t'].find((each) => first.split(each).filter(columnOf).length > 1) ?? ','
  const records = [...readCsv(text, separator)]
  const columns = records[0]?.fields.map(columnOf) ?? []
  for (const needed of ['path', 'label'] as const) {
    const count = columns.filter((column) => column === needed).length
    if (count === 1) continue
    const facts = `its first line names ${count === 0 ? 'no' : 'more than one'} column for the ${needed}`
    throw new UserError(
      'data',
      `Cannot read "${file}", line 1: ${facts}. Name the columns ${words[needed].join(' or ')} there`,
    )
  }
  return records.slice(1).map(({ line, fields, fault }: CsvRecord): Said => {
    const uneven =
      fields.length === columns.length ? null : `it has ${fields.length} fields, and line 1 ${columns.length}`
    const named = columns.flatMap((column, i) => (column ? [[column, fields[i] ?? ''] as const] : []))
    return { line, fault: fault ?? uneven, said: new Map(named) }
  })
}

function fromJson(text: string): readonly Said[] {
  return jsonRecords(text).map(({ line, fault, entries }): Said => {
    const said = new Map<Column, string>()
    for (const [key, value] of entries) {
      const column = columnOf(key)
      if (column === undefined || value === null) continue
      if (said.has(column)) return { line, said, fault: `two keys give its ${column}` }
      if (typeof value !== 'string' && typeof value !== 'number')
        return { line, said, fault: `its ${column} is neither text nor a number` }
      said.set(column, String(value))
    }
    return { line, fault, said }
  })
}
