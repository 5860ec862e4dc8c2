import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { violations } from '../scripts/floors.ts'

const house = {
  'src/errors.ts': '',
  'src/files.ts': `import { UserError } from './errors.ts'`,
  'src/tensor/native.ts': `const require = createRequire(import.meta.url)\nreturn require(addon) as Native`,
  'src/tensor/build.ts': `(createRequire(import.meta.url)('node-api-headers') as { include_dir: string }).include_dir`,
  'src/nn/sgd.ts': `import {\n  foreach,\n  type Tensor,\n} from '../tensor/tensor.ts'\nimport { UserError } from '../errors.ts'`,
  'src/attacks/attack.ts': `import type { ImageSet } from '../training/images.ts'`,
  'src/attacks/index.ts': `import { none } from './none.ts'\nexport const attacks = { none, badnets, 'label-consistent': labels } as const`,
  'src/defenses/index.ts': `export const defenses = {\n  none,\n  // best first\n  cbd,\n} as const satisfies Record<string, Defense>`,
  'src/defenses/cbd.ts': `if (options.labels === 'badnets') return`,
  'src/experiment/run.ts': `import { attacks } from '../attacks/index.ts'\nif (entry.labels === 'none') rate = 0`,
  'src/experiment/run.test.ts': `import { main } from '../cli/main.ts'\nif (attack === 'badnets') return`,
  'src/cli/main.ts': `const { page } = await import('../report/page.ts')\nif (kind === 'attack') return`,
  'src/index.ts': `export { runExperiment } from './experiment/run.ts'`,
}

/** What is said of the house with these files changed or added. */
const changed = (files: Record<string, string>) => violations(new Map(Object.entries({ ...house, ...files })))

describe('the floors', () => {
  it('has nothing to say of a house in order', () => {
    expect(changed({})).toEqual([])
  })

  it.each([
    ['an import of a higher floor', 'src/nn/a.ts', `\nimport { loader } from '../training/loader.ts'`, 2, 'higher'],
    ['a type from a higher floor', 'src/nn/a.ts', `type A = import('../training/loader.ts').Loader`, 1, 'higher'],
    ['the command line below itself', 'src/report/a.ts', `await import('../cli/main.ts')`, 1, 'higher'],
    ['something above in what all use', 'src/files.ts', `import { scope } from './tensor/scope.ts'`, 1, 'higher'],
    ['catalogue to catalogue', 'src/defenses/a.ts', `import type { A } from '../attacks/attack.ts'`, 1, 'to catalogue'],
    ['the public surface from inside', 'src/cli/a.ts', `import { run } from '../index.ts'`, 1, 'users'],
    ['a folder without a floor', 'src/utils/a.ts', '', 1, 'no floor'],
    ['a file beside the floors', 'src/helper.ts', '', 1, 'no floor'],
    ['an import from outside src', 'src/nn/a.ts', `import { a } from '../../bench/a.ts'`, 1, 'no floor'],
    ['a second loader', 'src/tensor/device.ts', 'const addon = require(path)', 1, 'loads the addon'],
    ['a loader without require', 'src/nn/a.ts', 'process.dlopen(module, path)', 1, 'loads the addon'],
    ['an attack asked for its name', 'src/experiment/a.ts', `\n\nif (x === 'badnets') return`, 3, `'badnets'`],
    ['a name with a hyphen', 'src/report/a.ts', `if (x !== 'label-consistent') return`, 1, `'label-consistent'`],
    ['a name on the left', 'src/cli/a.ts', `if ('cbd' === config.defense) return`, 1, `'cbd'`],
    ['a switch over names', 'src/training/a.ts', `switch (x) { case 'cbd': return }`, 1, `'cbd'`],
    ['a name in a list', 'src/experiment/a.ts', `const known = ['cbd', 'abl']`, 1, `'cbd'`],
    ['a name as a type', 'src/training/a.ts', `function a(): 'badnets' | null {}`, 1, `'badnets'`],
    [
      'a room of floor 4 on one above',
      'src/experiment/store/a.ts',
      `import type { A } from '../prepare/a.ts'`,
      1,
      'stands on',
    ],
    ['a room that imports a page', 'src/experiment/measure/a.ts', `import { a } from '../run.ts'`, 1, 'stands on'],
    ["another entry's own part", 'src/defenses/abl.ts', `import { critic } from './cbd/critic.ts'`, 1, 'own'],
    [
      "an entry's own part from above",
      'src/experiment/a.ts',
      `import { a } from '../defenses/cbd/critic.ts'`,
      1,
      'own',
    ],
    ['lines packed by a spread', 'src/nn/a.ts', `const a = {\n  ...{ b, c },\n}`, 2, 'packs'],
    ['a list packed by a spread', 'src/nn/a.ts', `const a = [\n  ...['b', 'c'],\n]`, 2, 'packs'],
    ['none where an entry is meant', 'src/experiment/a.ts', `if (config.attack === 'none') return`, 1, `'none'`],
  ])('sees %s', (_, path, text, line, words) => {
    expect(changed({ [path]: text })).toEqual([expect.stringMatching(new RegExp(`^${path}:${line}: .*${words}`))])
  })

  it.each([
    ["an entry's own part from the entry", 'src/defenses/cbd.ts', `import { critic } from './cbd/critic.ts'`],
    ['a setting', 'src/cli/a.ts', `const example = { defense: 'cbd', attack: 'badnets' }`],
    ['a default', 'src/experiment/settings/a.ts', `z.string().default('cbd')`],
    ['words of a comment', 'src/experiment/a.ts', `/** such as 'cbd' */\n// or 'badnets'`],
    ['a list made from others', 'src/nn/a.ts', `const a = [...['b', 'c'].map(upper), ...d]`],
    ['a room of floor 4 on one below', 'src/experiment/measure/a.ts', `import { a } from '../store/a.ts'`],
  ])('lets %s pass', (_, path, text) => {
    expect(changed({ [path]: text })).toEqual([])
  })

  it('says so where it cannot read a catalogue', () => {
    expect(changed({ 'src/models/index.ts': 'export default [wrn]' })).toEqual([
      expect.stringContaining('src/models/index.ts: no list of entries'),
    ])
  })
})

it('has every folder of the sources in the tree in ARCHITECTURE.md, and no other', () => {
  const [, tree = ''] = /## The rooms\n\n```\n(.*?)```/s.exec(readFileSync('ARCHITECTURE.md', 'utf8')) ?? []
  const shown = tree.split('\n').flatMap((line) => line.split(/\s+/)[0] || [])
  const files = execFileSync('git', ['ls-files', 'src', 'native', 'test', 'bench', 'examples', 'experiments'], {
    encoding: 'utf8',
  })
  const folders = files.split('\n').flatMap((file) => /^.*\//.exec(file)?.[0] ?? [])
  const apart = ['bench/gpu/'] // named in the line of its parent
  const wanted = [...new Set(folders)].filter((folder) => folder !== 'src/' && !apart.includes(folder))
  expect([...shown].sort()).toEqual(wanted.sort())
})
