// The one place where text becomes HTML. File names and labels come from strangers: all that a template is given is
// escaped, and only what a template made is taken as it is.

/** Text that is HTML. */
export class Html {
  readonly #text: string
  constructor(text: string) {
    this.#text = text
  }
  toString(): string {
    return this.#text
  }
}

/** What a template takes: lists are joined, and what is absent is left out. */
export type Part = Html | string | number | null | undefined | false | readonly Part[]

/** HTML from a template, as in html`<p>${name}</p>`: every value is escaped unless a template made it. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((text, i) => (i === 0 ? text : rendered(parts[i - 1]) + text)).join(''))
}

/** Markup that a program made, as it is: an SVG that a library drew, a style sheet of ours. Never what a stranger wrote. */
export function markup(text: string): Html {
  return new Html(text)
}

function rendered(part: Part): string {
  if (part === null || part === undefined || part === false) return ''
  if (part instanceof Html) return String(part)
  if (typeof part === 'object') return part.map(rendered).join('')
  return escaped(String(part))
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as HTML shows it, in elements and in attributes in quotes. Control and direction-changing characters are written out. */
export function escaped(text: string): string {
  return Buffer.from(text) // lone surrogates become U+FFFD
    .toString()
    .replace(unsafe, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replace(/[&<>"']/g, (character) => entities[character] as string)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const unsafe = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]/g
