/** An object of JSON. */
export interface JsonObject {
  /** why the text is no object; null where it is one */
  readonly fault: string | null
  /** its keys and values, in order; pairs, so that no key means a thing to JavaScript */
  readonly entries: readonly (readonly [key: string, value: unknown])[]
}

/** A line that holds one. */
export interface JsonRecord extends JsonObject {
  /** from 1 */
  readonly line: number
}

/** The objects of JSON lines, without blank lines. */
export function jsonRecords(text: string): readonly JsonRecord[] {
  return text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .map((content, i) => ({ content, line: i + 1 }))
    .filter(({ content }) => content.trim() !== '')
    .map(({ content, line }) => ({ line, ...readJsonObject(content) }))
}

/** An object from its text. A key that comes twice is a fault, of which JSON.parse says nothing. */
export function readJsonObject(content: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch {
    return { fault: 'it is not JSON', entries: [] }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { fault: 'it is not a JSON object', entries: [] }
  const keys = topKeys(content)
  const twice = keys.find((key, i) => keys.indexOf(key) < i)
  if (twice !== undefined) return { fault: `the key ${JSON.stringify(twice)} comes twice`, entries: [] }
  return { fault: null, entries: Object.entries(value) }
}

/** The keys of an object that JSON.parse has taken, as they are written. */
function topKeys(content: string): readonly string[] {
  const keys: string[] = []
  let depth = 0
  for (const [token, colon] of content.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[[\]{}]/g)) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (colon !== undefined && depth === 1) keys.push(JSON.parse(token.slice(0, -colon.length)))
  }
  return keys
}
