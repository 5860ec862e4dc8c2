// A list of images, one a line: CSV or JSON lines, with a path, a label, and if need be a split for each. The rules:
//
// - A CSV's first line names its columns: path (or file, filename, file_name, image), label (or class), split (or set).
//   Its fields are parted by commas, semicolons or tabs. JSON lines have the same words as keys.
// - Paths are relative to the list's folder, and lead nowhere else: neither by `..` nor by links.
// - A line that says nothing usable is told with its number and left out; too many of them refuse the list. An image
//   listed twice counts once, and one listed with two labels not at all.
import { realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { defineDataset, type Problem } from './dataset.ts'
import { decodeSets, decodeShape, type EncodedSets } from './encoded.ts'
import { readTreeFile } from './folder-tree.ts'
import { type Labelled, labelledSets } from './labelled.ts'
import { createFinder } from './manifest/finder.ts'
import { type Row, readRows } from './manifest/rows.ts'
import { isFile } from './place.ts'

/** A CSV or JSON-lines file of paths and labels. */
export const manifest = defineDataset({
  title: 'A list of images',
  source: 'your images',
  data: 'a CSV (.csv, .tsv) or JSON-lines file (.jsonl) with a path, a label and, if you like, a split for each image',
  target: 0,
  flip: true,
  learningRate: 0.1,
  options: z.object(decodeShape({ size: 32 })),
  recognizes: (path) => /\.(csv|tsv|jsonl|ndjson)$/i.test(path) && isFile(path),
  folderOf: dirname,
  async load(settings, context) {
    const { data } = context
    if (data === undefined) throw new UserError('usage', 'Cannot load a list from nowhere: give --data its file')
    return decodeSets(await look(data, settings.maxBroken), settings, context)
  },
})

async function look(data: string, maxBroken: number): Promise<EncodedSets> {
  const { rows, faults: unread, total } = readRows(data)
  const faults: Problem[] = [...unread]
  const root = await realpath(Buffer.from(dirname(data)), { encoding: 'buffer' })
  const find = createFinder(root)
  const images: Labelled[] = []
  for (const { line, path, label, split } of withoutRepeats(rows, data, faults)) {
    const file = find(path)
    if (typeof file === 'string') faults.push({ file: `${data}:${line}: ${path}`, reason: file })
    else images.push({ name: file.path, label, split, stamp: file.stamp, read: () => readTreeFile(root, file) })
  }
  return labelledSets(images, { data, faults, total, noun: 'line', maxBroken, notes: [] })
}

/** The first line of each image; none where its lines have different labels. */
function withoutRepeats(rows: readonly Row[], data: string, faults: Problem[]): readonly Row[] {
  const first = new Map<string, Row>()
  const disputed = new Set<string>()
  for (const row of rows) {
    const before = first.get(row.path)
    const file = `${data}:${row.line}: ${row.path}`
    if (before === undefined) first.set(row.path, row)
    else if (before.label === row.label) faults.push({ file, reason: `line ${before.line} lists it already` })
    else {
      disputed.add(row.path)
      faults.push({ file, reason: `line ${before.line} gives it another label, so it is not used` })
    }
  }
  for (const path of disputed) {
    const { line } = first.get(path) as Row
    faults.push({
      file: `${data}:${line}: ${path}`,
      reason: 'a later line gives it another label, so it is not used',
    })
  }
  return [...first.values()].filter(({ path }) => !disputed.has(path))
}
