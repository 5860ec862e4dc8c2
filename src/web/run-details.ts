import { UserError } from '../errors.ts'
import type { RunDetails, ShownFile } from './answers.ts'
import { hasFile, type IndexedRun, runFile } from './run-index.ts'

/** The files of a run that are shown, where it has them. */
const shown: readonly (ShownFile & { readonly name: string; readonly type: string })[] = [
  { id: 'report', name: 'report.html', title: 'Report', form: 'report', type: 'text/html; charset=utf-8' },
  { id: 'suspects', name: 'suspects.png', title: 'Images with the highest scores', form: 'picture', type: 'image/png' },
  { id: 'preview', name: 'preview.png', title: 'The trigger', form: 'picture', type: 'image/png' },
  { id: 'figure3', name: 'figure3.svg', title: 'How networks see the images', form: 'picture', type: 'image/svg+xml' },
]

/** All that the page shows of a run at first. */
export function describeRun(run: IndexedRun): RunDetails {
  const { path, line, listed } = run
  const result = (listed.result ?? {}) as Record<string, unknown>
  return {
    ...line,
    said: sentenceOf(run),
    remarks: remarksOf(result),
    settings: textsOf(listed.settings ?? {}),
    figures: figuresOf(result),
    files: shown.flatMap(({ id, name, title, form }) => (hasFile(path, name) ? [{ id, title, form }] : [])),
    hasSuspects: hasFile(path, 'suspects.csv'),
    hasEmbeddings: hasFile(path, 'portraits.safetensors'),
  }
}

/** A file of a run by the id that the page knows; a UserError where there is none. */
export function shownFile(run: IndexedRun, id: string): { bytes: Uint8Array<ArrayBuffer>; type: string } {
  const known = shown.find((each) => each.id === id)
  const bytes = known && runFile(run, known.name)
  if (!bytes) throw new UserError('usage', 'This run has no such file (any more)')
  return { bytes: Uint8Array.from(bytes), type: known.type }
}

/** The verdict first, in a sentence. */
function sentenceOf({ line: { state, verdict, flagged } }: IndexedRun): string {
  if (state === 'training') return 'This run is training: nothing is judged yet'
  if (state === 'broken off') return 'This run was broken off: deconfound resume goes on with it'
  if (state === 'damaged') return 'This run cannot be read: its configuration or its result is damaged'
  const images = flagged === 1 ? '1 image' : `${(flagged ?? 0).toLocaleString('en')} images`
  const sentences: Readonly<Record<string, string>> = {
    found: `Poison found: ${images} look poisoned`,
    weak: `Weak evidence: ${images} stand out, but not by much. Look at some before you remove any`,
    none: 'No poison found',
    'not-judged': 'The images are ranked, and whether any is poisoned was not judged',
  }
  return sentences[verdict ?? ''] ?? 'This run did not search its images for poison'
}

function remarksOf({ suspicion, remarks }: Record<string, unknown>): string[] {
  const own = (suspicion as { remarks?: unknown } | null | undefined)?.remarks ?? remarks
  return Array.isArray(own) ? own.map(String) : []
}

/** Figures of a result whose names say what they are; lists, hashes and what the configuration says already are left out. */
function figuresOf(result: Record<string, unknown>): Record<string, string> {
  const suspicion = (result.suspicion ?? {}) as Record<string, unknown>
  return Object.fromEntries(
    figures.flatMap(({ title, of, form }) => {
      const value = result[of] ?? suspicion[of]
      return typeof value === 'number' ? [[title, form(value)]] : []
    }),
  )
}

const share = (value: number) => `${(100 * value).toFixed(2)} %`
const count = (value: number) => value.toLocaleString('en')
const seconds = (value: number) => (value < 90 ? `${value.toFixed(0)} s` : `${(value / 60).toFixed(1)} min`)
const figures = [
  { title: 'Clean accuracy (CA)', of: 'cleanAccuracy', form: share },
  { title: 'Attack success rate (ASR)', of: 'attackSuccessRate', form: share },
  { title: 'ASR above that of clean training', of: 'excessSuccessRate', form: share },
  { title: 'Recovered accuracy (RA)', of: 'recoveredAccuracy', form: share },
  { title: 'Agreement with held-out labels', of: 'heldOutAgreement', form: share },
  { title: 'Agreement with test labels', of: 'testAgreement', form: share },
  { title: 'Accuracy before the repair', of: 'accuracyBefore', form: share },
  { title: 'Accuracy after the repair', of: 'accuracyAfter', form: share },
  { title: 'Training images', of: 'trainingImages', form: count },
  { title: 'Poisoned images', of: 'poisonedImages', form: count },
  { title: 'Flagged images', of: 'flagged', form: count },
  { title: 'True positive rate', of: 'truePositiveRate', form: share },
  { title: 'False positive rate', of: 'falsePositiveRate', form: share },
  { title: 'AUROC of the scores', of: 'auroc', form: (value: number) => value.toFixed(3) },
  { title: 'Time', of: 'seconds', form: seconds },
] as const

/** Settings as text, a line each. */
export function textsOf(settings: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  )
}
