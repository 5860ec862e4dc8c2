import { execFileSync } from 'node:child_process'
import { beforeAll, describe, expect, it } from 'vitest'

// What `npm publish` would send, after `make setup`.
describe('the npm package', () => {
  let paths: string[]
  beforeAll(() => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' })
    const [{ files }] = JSON.parse(output) as [{ files: { path: string }[] }]
    paths = files.map(({ path }) => path)
  }, 20_000)

  it('holds all that runs: the command, the compiled code with its types, the built page, the source of the addon and its builder', () => {
    const needed = ['bin/deconfound.js', 'dist/src/cli/main.js', 'dist/src/index.js', 'dist/src/index.d.ts']
    expect(paths).toContain('dist/src/web/page/index.html')
    expect(paths).toContain('dist/src/web/page/licenses.md')
    expect(paths.some((path) => /^dist\/src\/web\/page\/assets\/.*\.js$/.test(path))).toBe(true)
    expect(paths).toEqual(
      expect.arrayContaining([...needed, 'native/addon.cc', 'native/state.h', 'scripts/build-addon.js']),
    )
  })

  it('holds no tests, data, runs or sources', () => {
    const strange = /\.test\.|^(?:data|runs|results|src|test|bench|docs|node_modules)\/|^dist\/(?!src\/)/
    expect(paths.filter((path) => strange.test(path))).toEqual([])
  })
})
