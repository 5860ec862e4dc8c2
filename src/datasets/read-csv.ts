// Comma-separated values by RFC 4180, with what programs make of them: a byte order mark, lines that end in LF, CRLF or
// CR, another separator, blank lines. A fault costs its line, and the line is told.

/** A record of a file, or what is wrong with it. */
export interface CsvRecord {
  /** where it begins, from 1 */
  readonly line: number
  readonly fields: readonly string[]
  /** why the line cannot be read; null where it can */
  readonly fault: string | null
}

/** Longer fields are faults: an opening quote without its closing one must not take the rest of a file with it. */
const longestField = 65_536

/** The records of a text, without blank lines. */
export function* readCsv(text: string, separator = ','): Iterable<CsvRecord> {
  const cursor = { text, at: text.startsWith('\ufeff') ? 1 : 0 }
  let line = 1
  while (cursor.at < text.length) {
    const from = cursor.at
    const result = readRecord(cursor, separator)
    if ('fault' in result) {
      yield { line, fields: [], fault: result.fault }
      cursor.at = from
      skipLine(cursor)
    } else if (result.fields.length > 1 || result.fields[0] !== '') yield { line, fields: result.fields, fault: null }
    line += countLines(text, from, cursor.at)
  }
}

interface Cursor {
  readonly text: string
  at: number
}

function readRecord(cursor: Cursor, separator: string): { fields: readonly string[] } | { fault: string } {
  const { text } = cursor
  const fields: string[] = []
  for (;;) {
    const field = text[cursor.at] === '"' ? readQuoted(cursor) : readPlain(cursor, separator)
    if (field === undefined) return { fault: 'a quote that opens is not closed' }
    fields.push(field)
    const next = text[cursor.at]
    if (next === separator) cursor.at++
    else if (next === undefined || isEnd(next)) {
      endLine(cursor)
      return { fields }
    } else return { fault: 'text follows a closing quote' }
  }
}

/** What stands between quotes, where two stand for one; undefined where the closing one is missing. */
function readQuoted(cursor: Cursor): string | undefined {
  const { text } = cursor
  const from = cursor.at + 1
  for (let at = from; ; at += 2) {
    at = text.indexOf('"', at)
    if (at < 0 || at - from > longestField) return undefined
    if (text[at + 1] === '"') continue
    cursor.at = at + 1
    return text.slice(from, at).replaceAll('""', '"')
  }
}

function readPlain(cursor: Cursor, separator: string): string {
  const { text, at: from } = cursor
  while (cursor.at < text.length && text[cursor.at] !== separator && !isEnd(text[cursor.at] as string)) cursor.at++
  return text.slice(from, cursor.at)
}

const isEnd = (character: string) => character === '\n' || character === '\r'

function endLine(cursor: Cursor): void {
  cursor.at += cursor.text.startsWith('\r\n', cursor.at) ? 2 : 1
}

function skipLine(cursor: Cursor): void {
  while (cursor.at < cursor.text.length && !isEnd(cursor.text[cursor.at] as string)) cursor.at++
  endLine(cursor)
}

function countLines(text: string, from: number, to: number): number {
  let lines = 0
  for (let at = from; at < to; at++) if (text[at] === '\n' || (text[at] === '\r' && text[at + 1] !== '\n')) lines++
  return lines
}
