import { writeAtomically } from '../files.ts'
import type { ImageSet } from '../training/images.ts'
import type { Suspicion } from '../training/suspicion.ts'

/** Writes all training images as CSV, the most suspicious first: rank, whether it is named a suspect, score, label, file. */
export function writeSuspects(path: string, images: ImageSet, { score, threshold }: Suspicion): void {
  const order = Array.from(score.keys()).sort((a, b) => (score[b] as number) - (score[a] as number) || a - b)
  const rows = order.map((i, rank) => {
    const value = score[i] as number
    const label = images.classes[images.labels[i] as number] as string
    return [
      rank + 1,
      value > threshold ? 'yes' : 'no',
      value.toFixed(4),
      cell(label),
      cell(images.names[i] as string),
    ].join(',')
  })
  writeAtomically(path, `rank,suspect,score,label,file\n${rows.join('\n')}\n`)
}

/** A cell that a spreadsheet shows as text whatever it holds: quoted, and never the start of a formula. */
function cell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return `"${harmless.replaceAll('"', '""')}"`
}
