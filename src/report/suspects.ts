import { writeAtomically } from '../files.ts'
import { argsort } from '../training/argsort.ts'
import type { ImageSet } from '../training/images.ts'
import type { Suspicion } from '../training/suspicion.ts'
import { csv, textCell } from './csv.ts'

/**
 * Writes all training images as CSV, the most suspicious first: rank, whether the image is flagged, score, label, file. Files are
 * named as data sets name them: a newline in a name is `\x0a`, a byte that is no UTF-8 `\xff`, a backslash before an x `\x5c`.
 */
export function writeSuspects(path: string, images: ImageSet, { score, threshold }: Suspicion): void {
  const order = Array.from(argsort(score, { descending: true }))
  const rows = order.map((i, rank) => {
    const value = score[i] as number
    const label = images.classes[images.labels[i] as number] as string
    const file = images.names[i] as string
    return [String(rank + 1), value > threshold ? 'yes' : 'no', value.toFixed(4), textCell(label), textCell(file)]
  })
  writeAtomically(path, csv([['rank', 'flagged', 'score', 'label', 'file'], ...rows]))
}
