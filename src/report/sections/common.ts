import type { Common, Facts, Occlusion } from '../facts.ts'
import { type Html, html } from '../html.ts'
import { percent, whole } from '../numbers.ts'
import { type Patches, placeOfPatch } from '../shared-patch.ts'
import type { Source } from '../source.ts'
import { nameOf, shownPicture } from './parts.ts'

/** A picture's file, and what it shows. */
type Shown = readonly [file: string, said: string]

/** What flagged images have in common: a patch, a mean that differs, a place that the model looks at. */
export function commonSection(source: Source): Html | null {
  const { facts } = source
  const common = facts?.common
  if (!facts || !common) return null
  const label = nameOf(facts.classes, common.label)
  return html`<section id="common"><h2>What the flagged images have in common</h2>
${common.patches && patchesPart(source, common.patches, { label, facts })}
${meansPart(source, common, label)}
${common.occlusion && occlusionPart(source, common.occlusion, label)}
</section>`
}

const pictures = (source: Source, shown: readonly Shown[]): Html =>
  html`<ul class="gallery wide">${shown.map(([file, said]) => html`<li><figure>${shownPicture(source, file, said)}<figcaption>${said}</figcaption></figure></li>`)}</ul>`

function patchesPart(
  source: Source,
  { all, marked }: Patches,
  { label, facts }: { label: string; facts: Facts },
): Html {
  if (all.length === 0 || marked === null) {
    return html`<h3>No shared patch</h3><p>There is no small place where the flagged images labelled '${label}' look the same and the others do not. A blended, warped or moving trigger leaves no such place.</p>`
  }
  const shown = all.map(
    (patch): Shown => [
      patch.file,
      `${placeOfPatch(patch, facts.size)}, enlarged; on ${whole(patch.flagged)} flagged images and ${whole(patch.unflagged)} unflagged ones`,
    ],
  )
  const flagged = facts.perClass.reduce((sum, each) => sum + each.flagged, 0)
  const without = flagged - Math.max(...all.map((patch) => patch.flagged))
  const [title, where] = all.length === 1 ? ['A shared patch', 'place'] : [`${all.length} shared patches`, 'places']
  return html`<h3>${title}</h3><p>Here most flagged images labelled '${label}' look the same, and the other images of the label do not. This is what a trigger pasted on images looks like.${without > 0 && ` ${whole(without)} of the ${whole(flagged)} flagged images do not carry it: they may be clean, or carry another trigger.`}</p>
${pictures(source, [...shown, [marked, `the ${where}, in red, in the mean of the flagged images`]])}`
}

function meansPart(source: Source, common: Common, label: string): Html {
  const enlarged = common.factor > 1 ? `, times ${common.factor.toPrecision(2)}` : ''
  const place = common.place && html` Most of the last difference lies at the <strong>${common.place}</strong>.`
  return html`<h3>Mean images</h3>
<p>Gray in a difference means no difference. A trigger at one place shows as a spot, a blended one as a pattern; a moving or invisible one may not show at all.${place}</p>
${pictures(source, [
  [common.means.flagged, `mean of ${whole(common.flagged)} flagged images labelled '${label}'`],
  [common.means.others, `mean of ${whole(common.others)} other images labelled '${label}'`],
  [common.difference, `difference of the two${enlarged}`],
  [common.differenceToAll, `difference to unflagged images of all labels${enlarged}`],
])}`
}

function occlusionPart(source: Source, { probability, side, images, shown }: Occlusion, label: string): Html {
  const before = `The trained model gives the strongest suspects their label '${label}' with a probability of ${percent(probability)} on average`
  if (images === 0) {
    return html`<h3>What the model looks at</h3><p>${before}. The model does not follow what they share, so there is no place to show.</p>`
  }
  if (!shown) {
    return html`<h3>What the model looks at</h3><p>${before}. No single place decides that: a square of ${side} pixels changes little wherever it covers them.</p>`
  }
  return html`<h3>What the model looks at</h3><p>${before}. Where a square of ${side} pixels covers them at the <strong>${shown.place}</strong>, the probability falls to ${percent(Math.max(0, probability - shown.largest))}. A small red spot is what the model takes for the label's mark; a broad one may be the object itself.</p>
${pictures(source, [[shown.file, `where covering lowers the probability, in red; mean over ${whole(images)} suspects`]])}`
}
