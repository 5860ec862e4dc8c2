import type { Facts } from '../facts.ts'
import type { Figure } from '../figures/plot.ts'
import { type Html, html, type Part } from '../html.ts'
import type { Source } from '../source.ts'
import { figure, gallery, nameOf, shownPicture, table } from './parts.ts'

/** Pictures of what was flagged, and of what it is to be compared with. */
export function suspectsSection(source: Source): Html | null {
  const { facts } = source
  if (!facts || facts.strongest.length === 0) return null
  const { strongest, sample, above, below } = facts
  const flagged = strongest.some((picture) => picture.flagged)
  const group = (title: string, pictures: Facts['sample'], said: string): Part =>
    pictures.length > 0 && html`<h3>${title}</h3><p class="note">${said}</p>${gallery(source, facts, pictures)}`
  return html`<section id="suspects"><h2>${flagged ? 'Suspects' : 'The images with the highest scores'}</h2>
${group(
  flagged ? 'The strongest' : 'The first of all images',
  strongest,
  flagged
    ? 'Flagged images with the highest scores, best first.'
    : 'No image is flagged. These rank highest, and may well be clean.',
)}
${group('A random sample of the other flagged images', sample, 'What the flagged images are like on the whole.')}
${group('Just above the threshold', above, 'Flagged with the lowest scores: the first to doubt.')}
${group('Just below the threshold', below, 'Not flagged, with the highest scores.')}
${alike(source, facts, flagged ? 'suspect' : 'high score')}
</section>`
}

function alike(source: Source, { alike, classes }: Facts, word: 'suspect' | 'high score'): Part {
  if (alike.length === 0) return null
  const pair = ({ suspect, other }: Facts['alike'][number]) => {
    const label = nameOf(classes, suspect.label)
    return html`<li><figure>${shownPicture(source, suspect.file, `${word === 'suspect' ? 'Suspect' : 'Image with a high score,'} labelled ${label}: ${suspect.name}`)}<figcaption>${word}</figcaption></figure><figure>${shownPicture(source, other.file, `Unflagged look-alike: ${other.name}`)}<figcaption>look-alike</figcaption></figure></li>`
  }
  return html`<h3>Beside their look-alikes</h3><p class="note">The first of them, each beside the unflagged image of the same label that looks most like it.${word === 'suspect' && ' What one has and the other lacks may be the trigger.'}</p><ul class="pairs">${alike.map(pair)}</ul>`
}

/** Scores and labels of all images. */
export function scoresSection(
  { facts, outcome }: Source,
  figures: {
    readonly histogram: Figure
    readonly classes: Figure | null
    readonly roc: Figure | null
    readonly key: Part
  },
): Html | null {
  if (!facts) return null
  const rows = facts.perClass
    .map(({ images, flagged }, k): Part[] => [nameOf(facts.classes, k), images, flagged])
    .filter(([, images]) => images !== 0)
  const { suspicion } = outcome.result
  const truth = suspicion && 'truePositiveRate' in suspicion && figures.roc ? suspicion : null
  return html`<section id="scores"><h2>Scores</h2>
${figure(figures.histogram, figures.key)}
${figure(figures.classes)}
<details><summary>Flagged images of every label</summary>${table(['label', 'images', 'flagged'], rows)}</details>
${
  truth &&
  html`<h3>Compared with the truth</h3><p>This is an experiment: it is known which images are poisoned.</p><div class="row">${figure(figures.roc)}<div>${table(
    ['figure', 'value', 'meaning'],
    [
      ['TPR', share(truth.truePositiveRate), 'true positive rate: share of the poisoned images that are flagged'],
      ['FPR', share(truth.falsePositiveRate), 'false positive rate: share of the other images that are flagged'],
      ['AUROC', truth.auroc?.toFixed(4) ?? '–', 'chance that a poisoned image scores above another one'],
    ],
  )}</div></div>`
}
</section>`
}

const share = (value: number | null) => (value === null ? '–' : `${(100 * value).toFixed(2)}\u00a0%`)
