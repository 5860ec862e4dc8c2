/** A network's view of a sample of the images, in two dimensions. */
export interface Panel {
  readonly title: string
  readonly places: readonly (readonly [number, number])[]
  /** labels before poisoning */
  readonly original: readonly number[]
  readonly poisoned: readonly boolean[]
  /** shares of the poisoned images whose neighbors bear their true class, and the target's label */
  readonly trueClass: number | null
  readonly target: number | null
}

const side = 420

/** Panels side by side, two in a row, as SVG: a color for each true class, a black cross for each poisoned image. */
export async function drawPanels(panels: readonly Panel[]): Promise<string> {
  const [plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const drawn = panels.map((panel, i) => {
    const points = panel.places.map(([x, y], k) => ({ x, y, label: panel.original[k], poisoned: panel.poisoned[k] }))
    const element = plot.plot({
      document: document as never,
      width: side,
      height: side,
      margin: 12,
      x: { axis: null },
      y: { axis: null },
      color: { type: 'categorical', scheme: 'tableau10' },
      marks: [
        plot.frame({ stroke: '#ccc' }),
        plot.dot(
          points.filter(({ poisoned }) => !poisoned),
          { x: 'x', y: 'y', fill: 'label', r: 1.6, fillOpacity: 0.7 },
        ),
        plot.dot(
          points.filter(({ poisoned }) => poisoned),
          { x: 'x', y: 'y', symbol: 'times', stroke: 'black', strokeWidth: 1, r: 2.4 },
        ),
      ],
    }) as unknown as { outerHTML: string }
    const [x, y] = [(i % 2) * (side + 20), Math.floor(i / 2) * (side + 62)]
    const inner = element.outerHTML.replace('<svg ', `<svg x="0" y="42" `)
    const lines = [panel.title, around(panel)].map((line, k) => `<text x="12" y="${18 + 18 * k}">${line}</text>`)
    return `<g transform="translate(${x} ${y})" font-size="13">${lines.join('')}${inner}</g>`
  })
  const [width, height] = [Math.min(2, panels.length) * (side + 20), Math.ceil(panels.length / 2) * (side + 62)]
  const note = 'a dot: a clean image, colored by its class; a cross: a poisoned image'
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + 24}" width="${width}" height="${height + 24}"`,
    ` font-family="system-ui, sans-serif" role="img" aria-label="Embeddings of training images. ${note}">`,
    `<rect width="100%" height="100%" fill="white"/>${drawn.join('')}`,
    `<text x="12" y="${height + 12}" font-size="12">${note}</text></svg>\n`,
  ].join('')
}

function around({ trueClass, target }: Panel): string {
  if (trueClass === null || target === null) return ''
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`
  return `poison among its true class: ${percent(trueClass)}, among the target: ${percent(target)}`
}
