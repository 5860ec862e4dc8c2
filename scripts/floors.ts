import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { pathToFileURL } from 'node:url'

// Checks what ARCHITECTURE.md promises of the house: imports go down only, rooms of one floor have an order or do not
// import one another, an entry's folder is its own, one file loads the addon, shared code speaks no entry's name, no
// spread packs lines. Tests stand outside. Run by `npm run check`.

const catalogues = ['datasets', 'models', 'attacks', 'defenses', 'detectors']
const floors = [['tensor'], ['nn'], ['training'], catalogues, ['experiment', 'report'], ['cli', 'web']]
/** The rooms of floor 4, each on the one before. */
const composing = [
  'experiment/settings',
  'experiment/store',
  'experiment/prepare',
  'experiment/measure',
  'experiment/check',
  'experiment/export',
  'report',
  'experiment',
]
/** Below and above all floors. */
const ground = ['src/errors.ts', 'src/files.ts']
const surface = 'src/index.ts'

const importing = /\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g
const loading = /\b(?:require|dlopen)\(/g
const comment = /\/\*.*?\*\/|(?<!:)\/\/.*/gs
/** A name in quotes, and what it is compared with. What sets an option (`defense: 'cbd'`, `.default('wrn')`) asks nothing. */
const naming = /(?:([\w.]*)[\])]?\s*[!=]==?\s*)?(?<!\w\??: |\.default\()'([\w-]+)'(?:\s*[!=]==?\s*([\w.]*))?/g
/** Entry names that are also ordinary words: a comparison counts when its other side speaks of an entry. */
const ordinary = ['none', 'signs', 'deconfound']
/** Facts about records of the past, which no entry can declare any more. */
const historian = 'src/experiment/store/older-records.ts'
const speaksOfEntry = /(?:attack|defense|detector|dataset|model|entry|name)$/i
const packing = /\.\.\.(?:\{|\[[^\]]*\]\s*[,\]})])/g

/** What breaks the rules, one line each. `files`: path from the root, such as src/nn/sgd.ts, to text. */
export function violations(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = []
  const names = new Set<string>()
  for (const room of catalogues) {
    const index = files.get(`src/${room}/index.ts`)
    const entries = index === undefined ? [] : entryNames(index, room)
    if (!entries) found.push(`src/${room}/index.ts: no list of entries as 'export const ${room} = { … }'`)
    for (const name of entries ?? []) names.add(name)
  }
  for (const [path, text] of files) {
    if (path.endsWith('.test.ts')) continue
    const floor = floorOf(path)
    const say = (at: number, what: string) => found.push(`${path}:${text.slice(0, at).split('\n').length}: ${what}`)
    if (floor === undefined) say(0, 'stands on no floor')
    for (const { 1: target = '', index } of text.matchAll(importing)) {
      if (target.endsWith('.node')) say(index, 'only src/tensor/native.ts loads the addon')
      if (!target.startsWith('.')) continue
      const other = posix.join(posix.dirname(path), target)
      const below = floorOf(other)
      if (below === undefined) say(index, `imports ${other}, which stands on no floor`)
      else if (other === surface) say(index, `imports ${surface}, which is for users of the package`)
      else if (below > (floor ?? 0)) say(index, `imports ${other}, which stands higher`)
      else if (below === 3 && floor === 3 && roomOf(path) !== roomOf(other))
        say(index, `imports ${other}: catalogue to catalogue`)
      else if (below === 4 && floor === 4 && orderOf(other) > orderOf(path))
        say(index, `imports ${other}: '${roomOn4(other)}' stands on '${roomOn4(path)}'`)
      else if (
        below === 3 &&
        ownerOf(other) !== undefined &&
        ownerOf(other) !== ownerOf(path) &&
        entryOf(path) !== ownerOf(other)
      )
        say(index, `imports ${other}, which is ${ownerOf(other)}'s own`)
    }
    for (const { index } of path === 'src/tensor/native.ts' ? [] : text.matchAll(loading))
      say(index, 'only src/tensor/native.ts loads the addon')
    for (const { index } of text.matchAll(packing)) say(index, 'a spread packs lines: name the parts, or list them')
    if (floor === 3 || path === historian) continue
    const code = text.replaceAll(comment, (words) => words.replaceAll(/[^\n]/g, ' '))
    for (const { 1: left, 2: name = '', 3: right, index } of code.matchAll(naming)) {
      if (!names.has(name) || (ordinary.includes(name) && !speaksOfEntry.test(left ?? right ?? ''))) continue
      say(index, `speaks of the entry '${name}' by name: let each entry declare the answer`)
    }
  }
  return found
}

const roomOf = (path: string) => path.split('/')[1] ?? ''
const roomOn4 = (path: string) => composing.find((room) => path.startsWith(`src/${room}/`)) ?? ''
const orderOf = (path: string) => composing.indexOf(roomOn4(path))
/** The entry whose own folder a file lies in, as `defenses/cbd` of src/defenses/cbd/critic.ts. */
const ownerOf = (path: string) => /^src\/(\w+\/[\w-]+)\//.exec(path)?.[1]
const entryOf = (path: string) => path.replace(/^src\//, '').replace(/\.ts$/, '')

function floorOf(path: string): number | undefined {
  if (ground.includes(path)) return -1
  if (path === surface) return floors.length
  const floor = path.startsWith('src/') ? floors.findIndex((rooms) => rooms.includes(roomOf(path))) : -1
  return floor === -1 ? undefined : floor
}

function entryNames(index: string, room: string): string[] | undefined {
  const body = new RegExp(`export const ${room}\\b[^{;]*\\{([^}]*)\\}`).exec(index)?.[1]?.replaceAll(/\/\/.*/g, '')
  const names = body?.split(',').map((entry) => entry.replace(/:.*/s, '').replaceAll(/['\s]/g, ''))
  return names?.filter((name) => name !== '')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const paths = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
  const found = violations(new Map(paths.sort().map((path) => [`src/${path}`, readFileSync(`src/${path}`, 'utf8')])))
  for (const line of found) process.stderr.write(`${line}\n`)
  if (found.length > 0) process.exitCode = 1
}
