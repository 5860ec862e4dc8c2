import type { Facts, Scores } from '../facts.ts'
import type { Drawing, Figure } from './plot.ts'

const bins = 60

/** How many images have which score, those above the threshold marked; in an experiment also which are poisoned. */
export function scoreHistogram({ plot, figure }: Drawing, scores: Scores, { threshold }: Facts): Figure {
  const values = scores.score.filter(Number.isFinite)
  const [least, most] = [values.reduce((a, b) => Math.min(a, b), 0), values.reduce((a, b) => Math.max(a, b), 0)]
  const width = Math.max(1e-9, most - least) / bins
  const flagged = (i: number) => threshold !== null && (scores.score[i] as number) > threshold
  const kindOf = (i: number) => {
    if (scores.truth) return names[scores.truth[i] as number] as string
    return flagged(i) ? 'flagged' : 'others'
  }
  const counts = new Map<string, { kind: string; from: number; to: number; count: number }>()
  for (const [i, score] of scores.score.entries()) {
    if (!Number.isFinite(score)) continue
    const bin = Math.min(bins - 1, Math.floor((score - least) / width))
    const kind = kindOf(i)
    const cell = counts.get(`${kind} ${bin}`) ?? {
      kind,
      from: least + bin * width,
      to: least + (bin + 1) * width,
      count: 0,
    }
    cell.count++
    counts.set(`${kind} ${bin}`, cell)
  }
  const cells = [...counts.values()].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
  const lines = threshold === null ? [] : [threshold]
  return figure(
    {
      name: 'scores',
      alt: `Histogram of the scores of ${scores.score.length} images, from ${least.toFixed(2)} to ${most.toFixed(2)}${threshold === null ? '' : `; the threshold is ${threshold.toFixed(3)}`}`,
      caption: `Scores of all images; the scale of counts is a square root, so that few images can be seen.${threshold === null ? ' No image is above a threshold.' : ' Images right of the line are flagged.'}`,
    },
    {
      width: 720,
      height: 260,
      marginLeft: 50,
      marginBottom: 42,
      x: { label: 'score' },
      y: { label: 'images', type: 'sqrt', grid: true },
      color: { domain: order, range: colors },
      marks: [
        plot.rectY(cells, { x1: 'from', x2: 'to', y: 'count', fill: 'kind', insetLeft: 0.5, insetRight: 0.5 }),
        plot.ruleY([0]),
        plot.ruleX(lines, { stroke: 'var(--ink)', strokeWidth: 2 }),
        plot.text(lines, {
          x: (t: number) => t,
          frameAnchor: 'top',
          text: () => 'threshold',
          dx: 4,
          textAnchor: 'start',
          fill: 'var(--ink)',
        }),
      ],
    },
  )
}

const names = ['clean', 'poisoned', 'cover']
const order = ['others', 'clean', 'cover', 'poisoned', 'flagged']
const colors = ['var(--accent)', 'var(--accent)', 'var(--warn)', 'var(--bad)', 'var(--bad)']

/** What the colors of a histogram mean; `mark` as in the stored truth. */
export const histogramColors = [
  { mark: 0, color: 'accent', said: 'clean' },
  { mark: 1, color: 'bad', said: 'poisoned' },
  { mark: 2, color: 'warn', said: 'cover (triggered, label kept)' },
] as const

/** True positive rate against false positive rate, over all thresholds; null where one of the two has no images. */
export function rocCurve({ plot, figure }: Drawing, scores: Scores, { threshold }: Facts): Figure | null {
  const { score, truth } = scores
  if (!truth) return null
  const positive = (i: number) => truth[i] === 1
  const ranked = Array.from(score.keys()).sort((a, b) => (score[b] as number) - (score[a] as number))
  const positives = ranked.filter(positive).length
  const negatives = ranked.length - positives
  if (positives === 0 || negatives === 0) return null
  const points = [{ fpr: 0, tpr: 0 }]
  let [found, wrong] = [0, 0]
  for (const [k, i] of ranked.entries()) {
    if (positive(i)) found++
    else wrong++
    const tied = score[ranked[k + 1] ?? -1] === score[i]
    const due = k % Math.ceil(ranked.length / 400) === 0 || k + 1 === ranked.length || wrong < 50
    if (!tied && due) points.push({ fpr: wrong / negatives, tpr: found / positives })
  }
  const flagged = ranked.filter((i) => threshold !== null && (score[i] as number) > threshold)
  const hits = flagged.filter(positive).length
  const at = { fpr: (flagged.length - hits) / negatives, tpr: hits / positives }
  return figure(
    {
      name: 'roc',
      alt: `Receiver operating characteristic; at the threshold the true positive rate is ${at.tpr.toFixed(3)} and the false positive rate ${at.fpr.toFixed(4)}`,
      caption:
        'Share of the poisoned images found against the share of the others flagged, over all thresholds. The dot is the threshold of this run; the line of chance is dashed.',
    },
    {
      width: 360,
      height: 342,
      marginLeft: 50,
      marginBottom: 42,
      x: { label: 'false positive rate', domain: [0, 1], grid: true },
      y: { label: 'true positive rate', domain: [0, 1], grid: true },
      marks: [
        plot.line(
          [
            { fpr: 0, tpr: 0 },
            { fpr: 1, tpr: 1 },
          ],
          { x: 'fpr', y: 'tpr', stroke: 'var(--muted)', strokeDasharray: '4 4' },
        ),
        plot.line(points, { x: 'fpr', y: 'tpr', stroke: 'var(--accent)', strokeWidth: 2 }),
        plot.dot([at], { x: 'fpr', y: 'tpr', r: 5, fill: 'var(--bad)' }),
      ],
    },
  )
}
