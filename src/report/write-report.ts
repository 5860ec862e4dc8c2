import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomically } from '../files.ts'
import { kept } from './facts.ts'
import { confusionMatrix, flaggedPerClass } from './figures/classes.ts'
import { curve, traces } from './figures/curves.ts'
import { type Figure, openDrawing, standalone } from './figures/plot.ts'
import { histogramColors, rocCurve, scoreHistogram } from './figures/scores.ts'
import { type Html, html, markup } from './html.ts'
import { filesOf } from './pictures.ts'
import { aboutSection, evidenceSection } from './sections/about.ts'
import { commonSection } from './sections/common.ts'
import { confusionSection, figuresSection, trainingSection, triggerSection } from './sections/experiment.ts'
import { scoresSection, suspectsSection } from './sections/suspects.ts'
import { headline, verdictSection } from './sections/verdict.ts'
import { readSource, type Source } from './source.ts'
import { colors, style } from './style.ts'

/** What was written, and what was missing. */
export interface WrittenReport {
  readonly run: string
  readonly report: string
  readonly figures: readonly string[]
  /** pictures that the report should show, and whose files are gone */
  readonly missingPictures: readonly string[]
}

/**
 * Draws the report of a finished run from what the run keeps: `report.html`, one file that needs no other, and its figures as
 * files. Nothing is trained, and the data are not read.
 */
export async function writeReport(run: string): Promise<WrittenReport> {
  const source = await readSource(run)
  const figures = await draw(source)
  const folder = join(source.run, kept.figures)
  rmSync(folder, { recursive: true, force: true })
  const drawn = listed(figures)
  if (drawn.length > 0) mkdirSync(folder)
  for (const figure of drawn) writeAtomically(join(folder, `${figure.name}.svg`), standalone(figure, colors.light))
  const report = join(source.run, kept.report)
  writeAtomically(report, page(source, figures))
  return {
    run: source.run,
    report,
    figures: drawn.map(({ name }) => join(folder, `${name}.svg`)),
    missingPictures: source.facts ? filesOf(source.facts).filter((file) => source.picture(file) === null) : [],
  }
}

type Figures = Awaited<ReturnType<typeof draw>>

async function draw({ facts, scores, metrics }: Source) {
  const drawing = await openDrawing()
  const confused = ['test', 'triggered', 'held-out'] as const
  return {
    histogram: facts && scores ? scoreHistogram(drawing, scores, facts) : null,
    classes: facts && scores ? flaggedPerClass(drawing, facts) : null,
    roc: facts && scores ? rocCurve(drawing, scores, facts) : null,
    confusions: facts ? confused.map((of) => confusionMatrix(drawing, facts, of)) : [],
    curves: ['loss', 'accuracy'].map((name) => curve(drawing, metrics, name)),
    traces: traces(drawing, metrics),
  }
}

function listed({ histogram, classes, roc, confusions, curves, traces }: Figures): Figure[] {
  return [histogram, classes, roc, ...confusions, ...curves, ...traces].filter((figure) => figure !== null)
}

/** What the colors of the histogram mean, of those that it has. */
function colorKey(truth: Uint8Array): Html {
  const shown = histogramColors.filter(({ mark }) => truth.includes(mark))
  return html`<span class="key">${shown.map(({ color, said }) => html`<span style="background:var(--${color})"></span>${said}`)}</span>`
}

function page(source: Source, figures: Figures): string {
  const { histogram, classes, roc } = figures
  const key = source.scores?.truth && colorKey(source.scores.truth)
  const sections = [
    verdictSection(source),
    !source.facts &&
      html`<p>This run keeps no pictures and no scores: it was made before reports were. Train again to see them.</p>`,
    suspectsSection(source),
    commonSection(source),
    figuresSection(source),
    triggerSection(source),
    histogram && scoresSection(source, { histogram, classes, roc, key }),
    evidenceSection(source),
    confusionSection(source, figures.confusions),
    trainingSection(figures.curves, figures.traces),
    aboutSection(source),
  ]
  const { result } = source.outcome
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="generator" content="${`deconfound ${result.environment.deconfound}`}">
<title>${headline(source)}</title>
<link rel="icon" href="data:,">
<style>${markup(style)}</style>
</head>
<body>
<main>
${sections}
</main>
<footer>Deconfound ${result.environment.deconfound}. This file needs no network and no other file.</footer>
</body>
</html>
`)
}
