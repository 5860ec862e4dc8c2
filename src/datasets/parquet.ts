// Image sets in Parquet, as the large hubs publish them: a column of images, each a struct of bytes and path or bytes
// alone, and a column of labels, each a word or a number. Where the footer names the classes (by the hubs' program
// `datasets`), numbers are places among them. Files are training or test files by their names.
import { basename } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { defineDataset, type LoadContext, type Problem } from './dataset.ts'
import { decodeSets, decodeShape, type EncodedSets } from './encoded.ts'
import { type Labelled, labelledSets, labelText } from './labelled.ts'
import { type Columns, columnsOf } from './parquet/columns.ts'
import { openParquet } from './parquet/file.ts'
import { createImageReader } from './parquet/images.ts'
import { filesAt, presentFiles } from './parquet/places.ts'
import { splitFiles } from './split-files.ts'

/** Parquet files of images and labels. */
export const parquet = defineDataset({
  title: 'Parquet',
  source: 'https://huggingface.co/docs/datasets/image_dataset',
  data: 'a .parquet file, or a folder of such: train-00000-of-00002.parquet, …, test-00000-of-00001.parquet',
  target: 0,
  flip: true,
  learningRate: 0.1,
  options: z.object({
    ...decodeShape({ size: 32 }),
    label: z
      .string()
      .default('')
      .describe('the column of the labels; where empty, the one named label, or what looks like it'),
  }),
  recognizes: (path) => filesAt(path).length > 0,
  folderOf: () => null,
  async load({ label, ...settings }, context) {
    const { data } = context
    if (data === undefined) throw new UserError('usage', 'Cannot load Parquet from nowhere: give --data its file')
    return decodeSets(await look(data, { label, maxBroken: settings.maxBroken }, context), settings, context)
  },
})

interface LookOptions {
  readonly label: string
  readonly maxBroken: number
}

async function look(data: string, { label, maxBroken }: LookOptions, { progress }: LoadContext): Promise<EncodedSets> {
  const { files, unused } = splitFiles(presentFiles(data))
  const faults: Problem[] = []
  const problems: Problem[] = unused.map((file) => ({ file, reason: 'it is not used: its name says no split' }))
  const images: Labelled[] = []
  const notes: string[] = []
  const read = createImageReader()
  let classes: readonly string[] | null | undefined
  // the training files first: the classes are theirs
  const ordered = files.filter(({ split }) => split === 'train').concat(files.filter(({ split }) => split !== 'train'))
  for (const [done, { path, split }] of ordered.entries()) {
    progress(done, files.length)
    const file = await openParquet(path)
    const columns = columnsOf(file, label)
    if (classes && columns.classes && classes.join('\n') !== columns.classes.join('\n'))
      notes.push(`the classes of "${path}" are in another order or others: they are matched by name`)
    if (classes === undefined) classes = columns.classes
    const column = { file, column: columns.image }
    const labels = await Promise.all(file.groups.map((_, group) => file.column(columns.label, group)))
    const own = labels.flat().map((value) => labelOf(value, columns))
    if (split !== 'train' && own.every((each) => each.label === undefined)) {
      problems.push({ file: path, reason: 'it is not used: none of its images has a label' })
      continue
    }
    for (const [row, { label, fault }] of own.entries()) {
      const name = `${basename(path)}:${row}`
      if (label === undefined) faults.push({ file: name, reason: fault })
      else images.push({ name, label, split, stamp: `${file.stamp} ${columns.image}`, read: () => read(column, row) })
    }
  }
  const total = images.length + faults.length
  const known = classes ? { classes } : {}
  return labelledSets(images, { data, faults, problems, total, noun: 'row', maxBroken, notes, ...known })
}

type Label = { readonly label: string; readonly fault?: never } | { readonly label?: undefined; readonly fault: string }

/** A value as a class's name. */
function labelOf(value: unknown, { classes }: Columns): Label {
  const text =
    typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : value
  const written = text instanceof Uint8Array ? Buffer.from(text).toString('utf8') : text
  if (typeof written !== 'string') return { fault: 'it has no label' }
  if (classes === null) {
    const label = labelText(written)
    return label === undefined ? { fault: 'it has no label' } : { label }
  }
  if (written === '-1') return { fault: 'it has no label' }
  const label = /^\d+$/.test(written) ? classes[Number(written)] : classes.find((name) => name === written)
  return label === undefined
    ? { fault: `its label ${written} is no place among the ${classes.length} classes` }
    : { label }
}
