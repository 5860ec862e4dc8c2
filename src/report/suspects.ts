import { readFileSync } from 'node:fs'
import { UserError } from '../errors.ts'
import { csv, plainText, textCell } from '../experiment/store/csv.ts'
import { writeAtomically } from '../files.ts'
import { argsort } from '../training/argsort.ts'
import { type ImageSet, pixelsOf } from '../training/images.ts'
import { slices } from '../training/loader.ts'
import type { Suspicion } from '../training/suspicion.ts'
import { sheet } from './sheet.ts'

/**
 * Writes all training images as CSV, the most suspicious first: rank, whether the image is flagged, score, label, file. Files are
 * named as data sets name them: a newline in a name is `\x0a`, a byte that is no UTF-8 `\xff`, a backslash before an x `\x5c`.
 */
export function writeSuspects(path: string, images: ImageSet, { score, threshold }: Suspicion): void {
  const rows = Array.from(argsort(score, { descending: true }), (i, rank) => {
    const value = score[i] as number
    const label = images.classes[images.labels[i] as number] as string
    const file = images.names[i] as string
    return [String(rank + 1), value > threshold ? 'yes' : 'no', value.toFixed(4), textCell(label), textCell(file)]
  })
  writeAtomically(path, csv([heads, ...rows]))
}

const heads = ['rank', 'flagged', 'score', 'label', 'file']

/** The same as JSON lines. */
export function writeSuspectLines(path: string, images: ImageSet, { score, threshold }: Suspicion): void {
  const lines = Array.from(argsort(score, { descending: true }), (i, rank) => {
    const value = score[i] as number
    const label = images.classes[images.labels[i] as number]
    return JSON.stringify({ rank: rank + 1, flagged: value > threshold, score: value, label, file: images.names[i] })
  })
  writeAtomically(path, `${lines.join('\n')}\n`)
}

/** An image as such a list tells of it. */
export interface Suspect {
  /** 1 for the most suspicious */
  readonly rank: number
  readonly file: string
  readonly label: string
  readonly score: number
  readonly flagged: boolean
}

/** The files that such a list flags, best first, as it names them. */
export function readFlagged(path: string): string[] {
  return readSuspects(path).flatMap(({ file, flagged }) => (flagged ? [file] : []))
}

/** All images of such a list, best first. */
export function readSuspects(path: string): Suspect[] {
  const [first, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n')
  const rows = lines.map((line) => /^(\d+),(yes|no),([^,]*),"((?:[^"]|"")*)","((?:[^"]|"")*)"$/.exec(line))
  if (first !== heads.join() || rows.includes(null)) {
    throw new UserError(
      'data',
      `Cannot read '${path}': it is no list of suspicious images; give the directory of a run`,
    )
  }
  const text = (cell = '') => plainText(cell.replaceAll('""', '"'))
  return (rows as RegExpExecArray[]).map(([, rank, flagged, score, label, file]) => ({
    rank: Number(rank),
    file: text(file),
    label: text(label),
    score: Number(score),
    flagged: flagged === 'yes',
  }))
}

/** How many images the picture shows, and in a row. */
const shown = { images: 60, inARow: 12 }

/** Draws the images with the highest scores, best first, row by row, as the model sees them. */
export async function drawSuspects(path: string, images: ImageSet, { score }: Suspicion): Promise<void> {
  const best = Array.from(argsort(score, { descending: true })).slice(0, shown.images)
  const rows = slices(Int32Array.from(best), shown.inARow).map((row) => pixelsOf(images, row))
  writeAtomically(path, await sheet(rows, images.shape))
}
