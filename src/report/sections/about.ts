import type { DefenseEntry } from '../../defenses/defense.ts'
import { type DefenseName, defenses } from '../../defenses/index.ts'
import { type Html, html, type Part } from '../html.ts'
import { whole } from '../numbers.ts'
import type { Source } from '../source.ts'
import { fewestFound } from '../verdict.ts'
import { table } from './parts.ts'
import { searched } from './verdict.ts'

/** What the evidence is, and what it is not. */
export function evidenceSection(source: Source): Html | null {
  const { outcome } = source
  const { suspicion, defense } = outcome.result
  if (!suspicion) return null
  const entry = defenses[defense as DefenseName] as DefenseEntry | undefined
  const images = searched(source)
  const heldOut = outcome.kind !== 'experiment' ? outcome.result.heldOutImages : 0
  const limits: Part[] = [
    'A flagged image is not proven to be poisoned: clean images that share a watermark, a frame or an unusual background can be flagged too.',
    'An image that is not flagged is not proven to be clean.',
    images !== undefined &&
      suspicion.verdict !== 'not-judged' &&
      `Among ${whole(images)} images, fewer than about ${fewestFound(images)} poisoned ones cannot be found, and faint triggers need more.`,
    heldOut > 0 && `${whole(heldOut)} held-out images were not searched; --holdout 0 searches all.`,
    'Scores compare images of one run. Scores of two runs do not compare.',
  ]
  return html`<section id="evidence"><h2>What the evidence is, and is not</h2>
${entry?.evidence && html`<p>${entry.evidence}</p>`}
<ul>${limits.map((line) => line && html`<li>${line}</li>`)}</ul>
${suspicion.remarks.length > 0 && html`<h3>What the method says of this run</h3><ul>${suspicion.remarks.map((remark) => html`<li>${remark}</li>`)}</ul>`}
</section>`
}

const shownFiles = 20

/** Configuration, circumstances, and how to do all this again. */
export function aboutSection({ outcome, settings, run, facts }: Source): Html {
  const { result, kind } = outcome
  const { environment, skippedFiles = [], seconds } = result
  const again = { experiment: 'run', training: 'train', audit: 'audit' }[kind]
  const rows = (record: Readonly<Record<string, unknown>>) =>
    Object.entries(record).map(([name, value]): Part[] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ])
  const skipped = skippedFiles.slice(0, shownFiles).map(({ file, reason }): Part[] => [file, reason])
  const more = skippedFiles.length - skipped.length
  return html`<section id="about"><h2>About this run</h2>
<p>Run <code>${run}</code>, ${Math.round(seconds)} seconds${facts && `, images of ${facts.size[1]}×${facts.size[0]} pixels in ${facts.classes.length} classes`}.</p>
<h3>How to repeat it</h3>
<ul>
<li><code>deconfound ${again} --config ${run}/config.yaml</code> does the same again. The same processor, libtorch and threads give the same weights.</li>
<li><code>deconfound report ${run}</code> draws this report again, without training.</li>
</ul>
${
  skippedFiles.length > 0 &&
  html`<h3>Files that were skipped: ${whole(skippedFiles.length)}</h3>${table(['file', 'reason'], skipped)}${more > 0 && html`<p class="note">${whole(more)} more are listed in result.json.</p>`}`
}
<details><summary>Configuration</summary>${table(['setting', 'value'], rows(settings))}</details>
<details><summary>Environment</summary>${table(['what', 'value'], rows(environment))}</details>
</section>`
}
