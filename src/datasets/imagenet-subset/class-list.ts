// A class list chooses class folders, orders them and gives them names. Its forms:
//
// - a CSV with a header: the column `wnid` (or `folder`, `synset`, `class`) holds the folder, `name` (or `label`,
//   `description`) the class's name, and other columns mean nothing here;
// - lines without a header: the folder, and after a space, a tab or a comma the name, as in ILSVRC's own
//   `LOC_synset_mapping.txt`. Lines that begin with # are passed over.
//
// A class without a name has its folder's. Of two classes of one name (ImageNet has two cranes) both get their folder
// behind it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../errors.ts'
import { showName } from '../file-names.ts'
import { type CsvRecord, readCsv } from '../read-csv.ts'
import { readTextFile } from '../text-file.ts'

export interface ListedClass {
  /** by showName, as in a folder's tree */
  readonly folder: string
  readonly name: string
}

const folderColumns = ['wnid', 'folder', 'synset', 'class']
const nameColumns = ['name', 'label', 'description']

/** The class list in a folder. */
export function listIn(folder: string): string | undefined {
  return ['classes.csv', 'classes.txt'].map((name) => join(folder, name)).find((path) => existsSync(path))
}

/** The classes of a list, in its order; a UserError with the line where it is none. */
export function readClassList(path: string): readonly ListedClass[] {
  const found: ListedClass[] = []
  for (const { line, folder, name } of entriesOf(readTextFile(path))) {
    const refuse = (reason: string) =>
      new UserError('data', `Cannot use the class list "${path}", line ${line}: ${reason}`)
    const shown = showName(Buffer.from(folder))
    if (folder === '' || folder.startsWith('.') || folder.includes('/')) throw refuse(`"${shown}" is no folder's name`)
    if (found.some((each) => each.folder === shown)) throw refuse(`the folder "${shown}" is in the list twice`)
    found.push({ folder: shown, name: showName(Buffer.from(name.trim().normalize('NFC'))) || shown })
  }
  if (found.length < 2)
    throw new UserError(
      'data',
      `Cannot use the class list "${path}": it holds ${found.length} classes. List two or more`,
    )
  return found.map(({ folder, name }) => {
    const shared = found.some((each) => each.name === name && each.folder !== folder)
    return { folder, name: shared ? `${name} (${folder})` : name }
  })
}

interface Entry {
  readonly line: number
  readonly folder: string
  readonly name: string
}

function entriesOf(text: string): readonly Entry[] {
  const records = [...readCsv(text)]
  const head = records[0]?.fields.map((field) => field.trim().toLowerCase()) ?? []
  const place = (columns: readonly string[]) => head.findIndex((name) => columns.includes(name))
  const [folders, names] = [place(folderColumns), place(nameColumns)]
  if (folders < 0) return lines(text)
  return records.slice(1).map(({ line, fields }: CsvRecord) => ({
    line,
    folder: (fields[folders] ?? '').trim(),
    name: names < 0 ? '' : (fields[names] ?? ''),
  }))
}

function lines(text: string): readonly Entry[] {
  return text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .map((content, i) => ({ content: content.trim(), line: i + 1 }))
    .filter(({ content }) => content !== '' && !content.startsWith('#'))
    .map(({ content, line }) => {
      const [, folder = '', name = ''] = /^([^\s,]*)[\s,]*(.*)$/s.exec(content) ?? []
      return { line, folder, name }
    })
}
