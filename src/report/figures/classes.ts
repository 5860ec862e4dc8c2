import type { Facts } from '../facts.ts'
import type { Drawing, Figure } from './plot.ts'

const mostShown = 20
const longest = 22

/** A class's name where there is little room. */
export const short = (name: string) => (name.length > longest ? `${name.slice(0, longest - 1)}…` : name)

/** Flagged images of each class, the classes with the most first; null where none is flagged. */
export function flaggedPerClass({ plot, figure }: Drawing, { classes, perClass }: Facts): Figure | null {
  const all = perClass.map(({ flagged, images }, k) => ({ name: short(`${k}: ${classes[k]}`), flagged, images }))
  const bars = all
    .filter(({ images }) => images > 0)
    .sort((a, b) => b.flagged - a.flagged)
    .slice(0, mostShown)
  const [first] = bars
  if (!first || first.flagged === 0) return null
  return figure(
    {
      name: 'classes',
      alt: `Flagged images per label; the most, ${first.flagged} of ${first.images}, are labelled ${first.name}`,
      caption: `Flagged images of each label${all.length > mostShown ? `, of the ${mostShown} labels with the most` : ''}. An attack on one class shows as one long bar.`,
    },
    {
      width: 720,
      height: 62 + 20 * bars.length,
      marginLeft: 175,
      marginBottom: 42,
      marginRight: 90,
      x: { label: 'flagged images', grid: true },
      y: { label: null, domain: bars.map(({ name }) => name) },
      marks: [
        plot.barX(bars, { x: 'flagged', y: 'name', fill: 'var(--bad)' }),
        plot.text(bars, {
          x: 'flagged',
          y: 'name',
          text: ({ flagged, images }: { flagged: number; images: number }) => `${flagged} of ${images}`,
          textAnchor: 'start',
          dx: 4,
        }),
        plot.ruleX([0]),
      ],
    },
  )
}

const largestMatrix = 20

/** Labels against the model's answers, colored by the share of the label's images; null for too many classes. */
export function confusionMatrix(
  { plot, figure }: Drawing,
  { classes, confusions }: Facts,
  of: 'test' | 'triggered' | 'held-out',
): Figure | null {
  const found = confusions.find((confusion) => confusion.of === of)
  if (!found || classes.length > largestMatrix) return null
  const totals = new Map<number, number>()
  for (const [label, , count] of found.counts) totals.set(label, (totals.get(label) ?? 0) + count)
  const nameOf = (k: number) => short(`${k}: ${classes[k]}`)
  const cells = found.counts.map(([label, answer, count]) => ({
    label: nameOf(label),
    answer: nameOf(answer),
    count,
    share: count / (totals.get(label) as number),
  }))
  const domain = classes.map((_, k) => nameOf(k))
  const side = Math.max(220, 34 * classes.length)
  const images = { test: 'test images', triggered: 'test images with the trigger', 'held-out': 'held-out images' }[of]
  return figure(
    {
      name: `confusion-${of}`,
      alt: `Confusion matrix of ${images}; the table below lists the most frequent confusions`,
      caption: `Labels (rows) against the model's answers (columns), ${images}.`,
    },
    {
      width: side + 200,
      height: side + 115,
      marginLeft: 170,
      marginBottom: 95,
      padding: 0.06,
      x: { domain, label: 'answer', tickRotate: -40 },
      y: { domain, label: null },
      marks: [
        plot.cell(cells, {
          x: 'answer',
          y: 'label',
          fill: 'var(--accent)',
          fillOpacity: ({ share }: { share: number }) => 0.08 + 0.62 * share,
        }),
        plot.text(cells, { x: 'answer', y: 'label', text: 'count', fill: 'var(--ink)' }),
      ],
    },
  )
}
