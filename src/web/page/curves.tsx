import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { short } from './words.ts'

type Line = Readonly<Record<string, unknown>>

interface Curve {
  readonly name: string
  /** values by epoch, counted from 0 */
  readonly values: ReadonlyMap<number, number>
}

interface Chart {
  readonly title: string
  readonly curves: readonly Curve[]
}

/** What is measured over epochs: a chart for each measure with a curve for each stage, and one for each trace. */
export function Curves({ lines }: { lines: readonly Line[] }) {
  const charts = chartsOf(lines)
  if (charts.length === 0) return <p>No epoch has ended yet.</p>
  return (
    <div class="charts">
      {charts.map((chart) => (
        <Drawing key={chart.title} chart={chart} />
      ))}
    </div>
  )
}

/** Says how, and not how well, an epoch went. */
const aside = ['epoch', 'seconds', 'stage', 'trace']

/** A resumed epoch replaces what was written of it before. */
function chartsOf(lines: readonly Line[]): Chart[] {
  const charts = new Map<string, Map<string, Map<number, number>>>()
  for (const line of lines) {
    const { stage, trace, epoch } = line
    if (typeof epoch !== 'number') continue
    for (const [key, value] of Object.entries(line)) {
      if (typeof value !== 'number' || aside.includes(key)) continue
      const words = key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
      const ofTrace = key === 'auroc' ? [`AUROC of ${trace}`, 'AUROC'] : [`${trace}`, words]
      const [title, name] = (trace === undefined ? [words, `${stage}`] : ofTrace) as [string, string]
      const chart = charts.get(title) ?? new Map<string, Map<number, number>>()
      const curve = chart.get(name) ?? new Map<number, number>()
      charts.set(title, chart.set(name, curve.set(epoch, value)))
    }
  }
  const ofStages = (title: string) => lines.some((line) => line.stage !== undefined && title in line)
  const ordered = [...charts].sort(([one], [other]) => Number(ofStages(other)) - Number(ofStages(one)))
  return ordered.map(([title, curves]) => ({
    title,
    curves: Array.from(curves, ([name, values]) => ({ name, values })),
  }))
}

const height = 200

function Drawing({ chart: { title, curves } }: { chart: Chart }) {
  const place = useRef<HTMLDivElement>(null)
  const dark = useDark()
  const plot = useRef<uPlot>(undefined)
  const names = curves.map(({ name }) => name).join('\n')
  const epochs = [...new Set(curves.flatMap(({ values }) => [...values.keys()]))].sort((a, b) => a - b)
  const data = [
    epochs.map((epoch) => epoch + 1),
    ...curves.map(({ values }) => epochs.map((epoch) => values.get(epoch) ?? null)),
  ] as uPlot.AlignedData
  const latest = useRef(data)
  latest.current = data
  useEffect(() => {
    const box = place.current as HTMLDivElement
    plot.current = new uPlot(optionsOf(names.split('\n'), box.clientWidth), latest.current, box)
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: box.clientWidth, height }))
    watch.observe(box)
    return () => {
      watch.disconnect()
      plot.current?.destroy()
    }
  }, [names, dark])
  useEffect(
    () => plot.current?.setData(latest.current),
    [epochs.length, JSON.stringify(data.map((each) => each.at(-1)))],
  )
  return (
    <figure>
      <figcaption>
        {title}
        <ul class="legend">
          {curves.map(({ name, values }, i) => (
            <li key={name}>
              <span class={`line line-${i % colors}`} aria-hidden="true" /> {name}{' '}
              <span class="quiet">{short([...values.values()].at(-1) ?? Number.NaN)}</span>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={place} class="plot" aria-hidden="true" />
      <details>
        <summary>{title} as a table</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">Epoch</th>
              {curves.map(({ name }) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {epochs.map((epoch) => (
              <tr key={epoch}>
                <th scope="row">{epoch + 1}</th>
                {curves.map(({ name, values }) => (
                  <td key={name} class="number">
                    {values.has(epoch) ? short(values.get(epoch) as number) : '–'}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  )
}

/** curves that style.css tells apart by color and dashes */
const colors = 6

function optionsOf(names: readonly string[], width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const color = (name: string) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: color('--quiet'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { stroke: color('--line'), width: 1 },
    font: '12px system-ui, sans-serif',
  }
  const numbers = (_: uPlot, values: number[]) => values.map(short)
  const dashes = [[], [6, 4], [2, 3], [10, 4, 2, 4], [4, 2], [1, 3]]
  return {
    width,
    height,
    legend: { show: false }, // its own, beside the caption
    cursor: { y: false },
    scales: { x: { time: false } },
    axes: [
      { ...axis, values: numbers, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
      { ...axis, values: numbers, size: 60 },
    ],
    series: [
      {},
      ...names.map((label, i) => ({
        label,
        stroke: color(`--curve-${i % colors}`),
        dash: dashes[i % colors] as number[],
        width: 2,
        points: { show: true, size: 5 },
        spanGaps: true,
      })),
    ],
  }
}

/** Whether the reader wants dark colors, followed while the page is open. */
export function useDark(): boolean {
  const query = matchMedia('(prefers-color-scheme: dark)')
  const [dark, setDark] = useState(query.matches)
  useEffect(() => {
    const follow = () => setDark(query.matches)
    query.addEventListener('change', follow)
    return () => query.removeEventListener('change', follow)
  }, [])
  return dark
}
