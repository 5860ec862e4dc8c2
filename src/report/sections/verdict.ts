import type { Findings } from '../../training/suspicion.ts'
import { type Html, html, type Part } from '../html.ts'
import { percent, whole } from '../numbers.ts'
import { placeOfPatch } from '../shared-patch.ts'
import type { Source } from '../source.ts'
import { saidOf } from '../verdict.ts'
import { nameOf, shownPicture } from './parts.ts'

/** What the report is for, in ten seconds: whether poison was found, how much, in which class, and what to do. */
export function verdictSection(source: Source): Html {
  const { outcome } = source
  const { suspicion } = outcome.result
  const tone = suspicion?.verdict ?? 'not-judged'
  return html`<section class="verdict ${tone}" aria-label="Verdict">
<h1>${headline(source)}</h1>
<p class="lead">${suspicion ? counted(source, suspicion) : `The defense '${outcome.result.defense}' searches for no poison.`}${patched(source)}${obeys(source)}</p>
${strip(source)}
<h3>What to do</h3>
<ul>${advice(source).map((line) => html`<li>${line}</li>`)}</ul>
</section>`
}

const inStrip = 8

/** The strongest flagged images, to be seen at once. */
function strip(source: Source): Html | false {
  const flagged = source.facts?.strongest.filter((picture) => picture.flagged).slice(0, inStrip) ?? []
  return (
    flagged.length > 0 &&
    html`<ul class="strip">${flagged.map(({ file, name }, k) => html`<li>${shownPicture(source, file, `Strongest suspect ${k + 1}: ${name}`)}</li>`)}</ul>`
  )
}

/** The verdict in a few words: the report's title. */
export function headline({ outcome }: Source): string {
  const { suspicion } = outcome.result
  return suspicion ? headlines[suspicion.verdict] : 'Not searched for poisoned images'
}

const headlines: Readonly<Record<Findings['verdict'], string>> = {
  found: 'Poisoned images found',
  weak: 'Some images look suspicious',
  none: 'No poisoned images found',
  'not-judged': 'Images ranked, not judged',
}

/** How many training images were searched. */
export function searched({ facts, outcome }: Source): number | undefined {
  if (facts) return facts.perClass.reduce((sum, { images }) => sum + images, 0)
  return outcome.kind === 'experiment' ? undefined : outcome.result.trainingImages
}

function counted(source: Source, { verdict, flagged, estimatedTarget }: Findings): string {
  const images = searched(source)
  const of =
    images === undefined ? '' : ` of ${whole(images)} training images (${percent(flagged / Math.max(1, images))})`
  const classes = source.facts?.classes ?? []
  const target =
    estimatedTarget === null ? 'of several labels' : `most of them labelled '${nameOf(classes, estimatedTarget)}'`
  const said = saidOf(verdict, images)
  const sentence = `${said[0]?.toUpperCase()}${said.slice(1)}.`
  if (flagged === 0) return sentence
  return `${whole(flagged)}${of} ${flagged === 1 ? 'is' : 'are'} flagged, ${target}. ${sentence}`
}

/** Where flagged images share a patch: the shortest answer to what is the matter. */
function patched({ facts, outcome }: Source): Part {
  const { suspicion } = outcome.result
  const all = facts?.common?.patches?.all ?? []
  if (!facts || all.length === 0) return null
  const most = Math.max(...all.map(({ flagged }) => flagged))
  const places = all.map((patch) => placeOfPatch(patch, facts.size)).join('; ')
  const who = most === suspicion?.flagged ? 'All' : whole(most)
  return html` ${who} of them share <a href="#common">${all.length === 1 ? 'a patch' : 'patches'}</a>: ${places}.`
}

/** Of an experiment: whether the trained model does what the attacker wants. */
function obeys({ outcome }: Source): string {
  if (outcome.kind !== 'experiment') return ''
  const { attackSuccessRate: rate, collapsed, cleanAccuracy } = outcome.result
  if (collapsed) return ' The trained model has collapsed: it takes most images for one class.'
  if (rate === null) return ` No attack was made; the model is right on ${percent(cleanAccuracy)} of clean test images.`
  const word = rate > 0.5 ? 'obeys the trigger' : rate > 0.1 ? 'obeys the trigger in part' : 'does not obey the trigger'
  return ` The trained model ${word}: it takes ${percent(rate)} of triggered test images for the class that the attacker wants, and is right on ${percent(cleanAccuracy)} of clean ones.`
}

function advice({ outcome, run, facts }: Source): Part[] {
  const { suspicion } = outcome.result
  const patched = (facts?.common?.patches?.all.length ?? 0) > 0
  const shared = patched ? html`what they <a href="#common">share</a>` : 'a mark, a frame or a tint that they share'
  const look = html`Look at <a href="#suspects">the suspects</a>: ${shared} is what to look for.`
  const aside = html`Decide which to drop: <code>deconfound review ${run} --drop flagged</code>, then train without them. No file is changed.`
  const label = suspicion?.estimatedTarget ?? null
  const of = label === null ? 'these images' : `the images labelled '${nameOf(facts?.classes ?? [], label)}'`
  const origin = `Ask where ${of} came from.`
  switch (suspicion?.verdict) {
    case 'found':
      return [look, aside, origin]
    case 'weak':
      return [
        look,
        html`Do not drop images before you have looked: flagged images may be clean. <code>deconfound review ${run}</code> keeps what you decide.`,
      ]
    case 'none':
      return [
        html`Nothing has to be done. Read <a href="#evidence">what this does not prove</a> before you rely on it.`,
      ]
    case 'not-judged':
      return [
        look,
        html`For a verdict, train by <code>--defense deconfound</code>, or search by <code>deconfound audit</code>.`,
      ]
    default:
      return [
        html`To search the images, train by <code>--defense deconfound</code>, or search by <code>deconfound audit</code>.`,
      ]
  }
}
