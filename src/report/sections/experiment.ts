import type { Confusion, Facts, TriggeredPicture } from '../facts.ts'
import type { Figure } from '../figures/plot.ts'
import { type Html, html, type Part } from '../html.ts'
import { percent, whole } from '../numbers.ts'
import type { Source } from '../source.ts'
import { figure, nameOf, shownPicture, table } from './parts.ts'

/** Of an experiment: how the model does on clean and on triggered test images, with definitions. */
export function figuresSection({ outcome }: Source): Html | null {
  if (outcome.kind !== 'experiment') return null
  const { cleanAccuracy, attackSuccessRate, recoveredAccuracy, cleanImages, triggeredImages, backdoored, reference } =
    outcome.result
  const tile = (name: string, value: number | null, said: string) =>
    html`<li>${name}<strong>${percent(value)}</strong><span class="note">${said}</span></li>`
  const rows = [
    ...(backdoored
      ? [['before the repair', percent(backdoored.cleanAccuracy), percent(backdoored.attackSuccessRate)]]
      : []),
    ...(reference
      ? [['trained on clean data', percent(reference.cleanAccuracy), percent(reference.attackSuccessRate)]]
      : []),
  ]
  return html`<section id="figures"><h2>How the model does</h2>
<ul class="tiles">
${tile('CA, clean accuracy', cleanAccuracy, `share of ${whole(cleanImages)} benign test images classified right`)}
${tile('ASR, attack success rate', attackSuccessRate, `share of ${whole(triggeredImages)} triggered test images of other classes taken for the class that the attacker wants`)}
${tile('RA, recovered accuracy', recoveredAccuracy, 'share of the same triggered images classified as their true class')}
</ul>
${rows.length > 0 && table(['for comparison', 'CA', 'ASR'], rows)}
</section>`
}

/** The trigger, and the model's answers without and with it. */
export function triggerSection(source: Source): Html | null {
  const { facts, outcome } = source
  if (!facts || facts.trigger.length === 0 || outcome.kind !== 'experiment') return null
  const { classes, trigger } = facts
  const { attack, poisonedImages, rate, coverImages } = outcome.result
  const same = trigger.every(({ wanted }) => wanted === trigger[0]?.wanted)
  const covers = coverImages > 0 && `; ${whole(coverImages)} more are covers, which keep their label`
  const wants =
    same && ` The attacker wants triggered images taken for ${wantedOf(classes, trigger[0]?.wanted ?? null)}.`
  const heads = ['class', 'clean', 'triggered', 'difference ×\u00a08', ...(same ? [] : ['attacker wants'])]
  return html`<section id="trigger"><h2>The trigger</h2>
<p>Attack '${attack}' poisoned ${whole(poisonedImages)} training images (${percent(rate)})${covers}.${wants} The pictures are test images, and below each is what the model takes it for.</p>
<div class="triggers">${table(
    heads,
    trigger.map((shown) => triggerRow(source, classes, shown).slice(0, heads.length)),
  )}</div>
</section>`
}

const wantedOf = (classes: readonly string[], wanted: number | null) =>
  wanted === null ? 'any other class' : `'${nameOf(classes, wanted)}'`

function triggerRow(source: Source, classes: readonly string[], shown: TriggeredPicture): Part[] {
  const { clean, triggered, residual, wanted, answer, answerTriggered } = shown
  const label = nameOf(classes, shown.label)
  const obeys = wanted === null ? answerTriggered !== shown.label : answerTriggered === wanted
  return [
    label,
    html`${shownPicture(source, clean, `Clean test image of ${label}`)}${nameOf(classes, answer)}`,
    html`${shownPicture(source, triggered, 'The same with the trigger')}<span class="mark ${obeys ? 'poisoned' : 'clean'}">${nameOf(classes, answerTriggered)}</span>`,
    shownPicture(source, residual, 'The difference times 8'),
    wantedOf(classes, wanted),
  ]
}

/** Which classes the model takes for which. */
export function confusionSection({ facts }: Source, drawn: readonly (Figure | null)[]): Html | null {
  if (!facts || facts.confusions.length === 0) return null
  return html`<section id="confusion"><h2>What the model confuses</h2>
${drawn.map((each) => figure(each))}
${facts.confusions.map((confusion) => confusedTable(facts, confusion))}
</section>`
}

const titles = {
  test: 'test images',
  triggered: 'triggered test images',
  'held-out': 'held-out images, whose labels are as untrusted as the rest',
}

function confusedTable({ classes }: Facts, { of, counts }: Confusion): Html {
  const wrong = counts.filter(([label, answer]) => label !== answer).sort((a, b) => b[2] - a[2])
  const total = counts.reduce((sum, [, , count]) => sum + count, 0)
  const missed = wrong.reduce((sum, [, , count]) => sum + count, 0)
  const rows = wrong
    .slice(0, 10)
    .map(([label, answer, count]): Part[] => [nameOf(classes, label), nameOf(classes, answer), count])
  return html`<h3>Most frequent among ${titles[of]}</h3><p>${whole(missed)} of ${whole(total)} get another answer than their label.</p>${rows.length > 0 && table(['label', 'answer', 'images'], rows)}`
}

/** Curves of training. */
export function trainingSection(drawn: readonly (Figure | null)[], traces: readonly Figure[]): Html | null {
  if (drawn.every((each) => each === null) && traces.length === 0) return null
  return html`<section id="training"><h2>Training</h2>${drawn.map((each) => figure(each))}${traces.map((each) => figure(each))}</section>`
}
