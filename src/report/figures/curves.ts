import type { Drawing, Figure } from './plot.ts'

type Line = Readonly<Record<string, unknown>>

interface Point {
  readonly stage: string
  readonly epoch: number
  readonly value: number
}

/** A number over the epochs of each stage of training, in panels side by side; null where no stage reports it. */
export function curve({ plot, figure }: Drawing, metrics: readonly Line[], name: string): Figure | null {
  const points = metrics.flatMap(({ stage, epoch, [name]: value }): Point[] =>
    typeof stage === 'string' && typeof epoch === 'number' && typeof value === 'number'
      ? [{ stage, epoch: epoch + 1, value }]
      : [],
  )
  if (points.length === 0) return null
  const stages = [...new Set(points.map(({ stage }) => stage))]
  const last = points.filter(({ stage }) => stage === stages.at(-1)).at(-1) as Point
  return figure(
    {
      name: `training-${name}`,
      alt: `Curves of the training ${name} of ${stages.length} stages; the last ends at ${last.value.toPrecision(3)}`,
      caption: `Training ${name} over the epochs, a panel for each stage of training.`,
    },
    {
      width: 720,
      height: 240,
      marginLeft: 50,
      marginTop: 38,
      marginBottom: 42,
      x: { label: 'epoch', ticks: 4, tickFormat: (n: number) => (Number.isInteger(n) ? String(n) : '') },
      y: { label: name, grid: true, ...(name === 'accuracy' && { domain: [0, 1] }) },
      fx: { label: null, domain: stages },
      marks: [
        plot.frame({ stroke: 'var(--rule)' }),
        plot.lineY(points, { fx: 'stage', x: 'epoch', y: 'value', stroke: 'var(--accent)', strokeWidth: 2 }),
        plot.dot(points, { fx: 'stage', x: 'epoch', y: 'value', fill: 'var(--accent)', r: 2 }),
      ],
    },
  )
}

/** How a number that the defense gives every image goes over the epochs, for poisoned and clean images: medians. */
export function traces({ plot, figure }: Drawing, metrics: readonly Line[]): Figure[] {
  const lines = metrics.filter(({ trace }) => typeof trace === 'string')
  return [...new Set(lines.map(({ trace }) => trace as string))].map((trace) => {
    const points = lines
      .filter((line) => line.trace === trace)
      .flatMap(({ epoch, poisonedMedian, cleanMedian }) => [
        { kind: 'poisoned', epoch: Number(epoch) + 1, value: poisonedMedian as number | null },
        { kind: 'clean', epoch: Number(epoch) + 1, value: cleanMedian as number | null },
      ])
      .filter(({ value }) => value !== null)
    const ends = ['poisoned', 'clean'].flatMap((kind) => points.filter((point) => point.kind === kind).slice(-1))
    return figure(
      {
        name: `trace-${trace.replaceAll(/[^\w-]+/g, '-')}`,
        alt: `Median ${trace} over the epochs; at the end ${ends.map(({ kind, value }) => `${kind} ${Number(value).toPrecision(3)}`).join(', ')}`,
        caption: `Median ${trace} of poisoned and of clean images over the epochs.`,
      },
      {
        width: 720,
        height: 232,
        marginLeft: 50,
        marginBottom: 42,
        marginRight: 70,
        x: { label: 'epoch' },
        y: { label: trace, grid: true, zero: true },
        color: { domain: ['poisoned', 'clean'], range: ['var(--bad)', 'var(--accent)'] },
        marks: [
          plot.lineY(points, { x: 'epoch', y: 'value', z: 'kind', stroke: 'kind', strokeWidth: 2 }),
          plot.dot(points, { x: 'epoch', y: 'value', fill: 'kind', r: 2 }),
          plot.text(ends, { x: 'epoch', y: 'value', text: 'kind', fill: 'kind', textAnchor: 'start', dx: 6 }),
        ],
      },
    )
  })
}
