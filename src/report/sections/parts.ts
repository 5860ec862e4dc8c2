import type { Facts, Picture } from '../facts.ts'
import { type Figure, inline } from '../figures/plot.ts'
import { type Html, html, type Part } from '../html.ts'
import { whole } from '../numbers.ts'
import type { Source } from '../source.ts'

// What several sections of the report are made of.

export const nameOf = (classes: readonly string[], label: number) => classes[label] ?? String(label)

/** A picture of the run, enlarged so that pixels stay square; what happened to it where its file is gone. */
export function shownPicture({ picture }: Pick<Source, 'picture'>, file: string, alt: string): Html {
  const found = picture(file)
  if (!found)
    return html`<span class="gone" role="img" aria-label="${`${alt}: its picture is gone`}">picture gone</span>`
  return html`<img class="pixels" src="${found.url}" width="${found.width}" height="${found.height}" alt="${alt}">`
}

export function figure(drawn: Figure | null, more?: Part): Html | null {
  return drawn && html`<figure class="plot">${inline(drawn)}<figcaption>${drawn.caption}${more}</figcaption></figure>`
}

/** Pictures with what is known of each. */
export function gallery(source: Source, { classes }: Facts, pictures: readonly Picture[]): Html {
  return html`<ol class="gallery">${pictures.map((picture) => html`<li>${card(source, classes, picture)}</li>`)}</ol>`
}

function card(source: Source, classes: readonly string[], picture: Picture): Html {
  const { file, name, label, score, answer, truth, originalLabel } = picture
  const own = nameOf(classes, label)
  const seen = answer !== null && answer !== label && html`<br>model: ${nameOf(classes, answer)}`
  const changed =
    truth !== null && originalLabel !== null && originalLabel !== label && ` (was ${nameOf(classes, originalLabel)})`
  const known = truth && html`<br><span class="mark ${truth}">${truth}${changed}</span>`
  return html`<figure>${shownPicture(source, file, `Image labelled ${own}, score ${score?.toFixed(2) ?? 'unknown'}: ${name}`)}<figcaption>label: ${own}${seen}${known}<br>score ${score?.toFixed(2) ?? '–'}<span class="file" title="${name}">${name.split('/').at(-1)}</span></figcaption></figure>`
}

/** A table with a head for each column; the first cell of a row is the row's head. */
export function table(heads: readonly string[], rows: readonly (readonly Part[])[]): Html {
  const cell = (part: Part) =>
    typeof part === 'number' ? html`<td class="number">${whole(part)}</td>` : html`<td>${part}</td>`
  const body = rows.map(([first, ...rest]) => html`<tr><th scope="row">${first}</th>${rest.map(cell)}</tr>`)
  return html`<div class="scroll"><table><thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>`
}
