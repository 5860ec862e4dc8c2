import { escaped, type Html, markup } from '../html.ts'

// Figures are drawn by Observable Plot as SVG. Colors are variables of the style sheet, so that one figure serves light, dark
// and paper; a figure in a file of its own carries their values.

/** A figure of the report. */
export interface Figure {
  /** of its file */
  readonly name: string
  /** what it shows, for who cannot see it */
  readonly alt: string
  readonly caption: string
  readonly svg: string
}

type Plot = typeof import('@observablehq/plot')

/** The library, and how a figure is made with it. */
export interface Drawing {
  readonly plot: Plot
  figure(about: Omit<Figure, 'svg'>, options: import('@observablehq/plot').PlotOptions): Figure
}

/** Loads the library, which takes a moment: commands that draw nothing do without it. */
export async function openDrawing(): Promise<Drawing> {
  const [plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  return {
    plot,
    figure(about, options) {
      const drawn = plot.plot({
        ...options,
        document: document as never,
        className: 'plot',
        style: { 'font-size': '12px' },
      }) as unknown as {
        outerHTML: string
      }
      const label = `role="img" aria-label="${escaped(about.alt)}"`
      // The library gives the style of its class again with each figure.
      const svg = drawn.outerHTML.replace(/<style>.*?<\/style>/s, '').replace('<svg ', `<svg ${label} `)
      return { ...about, svg }
    },
  }
}

export const inline = ({ svg }: Figure): Html => markup(svg)

/** The figure as a file of its own, dark on white. */
export function standalone({ svg }: Figure, colors: Readonly<Record<string, string>>): string {
  const values = Object.entries(colors).map(([name, value]) => `--${name}:${value}`)
  const style = `<style>svg{${values.join(';')};background:var(--paper);color:var(--ink)}</style>`
  return `${svg.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ').replace(/>/, `>${style}`)}\n`
}
