import { relative } from 'node:path'

// The edge: all that a command prints passes through here. File names come from strangers, and a terminal obeys control
// characters: they are written out. Paths under the current folder are told relative to it.

export type Style = 'bold' | 'red' | 'green' | 'yellow' | 'dim'
const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
}

/** Lines on standard output. A verdict at the beginning of a line gets its color. */
export function print(text: string): void {
  const verdicts: Readonly<Record<string, Style>> = { found: 'red', weak: 'yellow', none: 'green' }
  const colored = edited(text).replace(
    /^(verdict +)(found|weak|none)\b/gm,
    (_, head: string, verdict: string) => head + painted(verdict, verdicts[verdict] as Style, process.stdout),
  )
  process.stdout.write(`${colored}\n`)
}

/** A value as one line of JSON on standard output. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(value).replace(unsafe, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  process.stdout.write(`${text}\n`)
}

/** Lines on standard error. */
export function tell(text: string, style?: Style): void {
  const clean = edited(text)
  process.stderr.write(`${style ? painted(clean, style, process.stderr) : clean}\n`)
}

/** Text in a style, where the stream is a terminal with colors and NO_COLOR is not set. */
export function painted(text: string, style: Style, stream: NodeJS.WriteStream): string {
  if (!stream.isTTY || !stream.hasColors?.()) return text
  const [on, off] = codes[style]
  return `\x1b[${on}m${text}\x1b[${off}m`
}

/** C0 but tab and line feed, DEL, C1, and what turns the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const unsafe = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** The text with control characters written out, as in `\x1b`. */
export function visible(text: string): string {
  return text.replace(unsafe, (c) => {
    const code = c.charCodeAt(0)
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

/** A cell or a name on one line. */
export function onOneLine(text: string): string {
  return visible(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}

/** A path as a command typed in the current folder would give it. */
export function shown(path: string): string {
  const near = relative(process.cwd(), path)
  return near === '' || near.startsWith('..') ? path : near
}

function edited(text: string): string {
  const here = process.cwd()
  if (here === '/') return visible(text)
  const escaped = here.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return visible(text.replace(new RegExp(`(?<![\\w./-])${escaped}/`, 'g'), ''))
}
