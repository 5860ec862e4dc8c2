import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { compute } from '../../../test/device.ts'
import { attacks } from '../../attacks/index.ts'
import { sourceDigest } from '../../tensor/build.ts'
import { resolveConfig } from '../settings/config.ts'
import { codeOf, fileOf, withImports } from './code.ts'
import { whatTrainingDependsOn } from './training-context.ts'

const home = mkdtempSync(join(tmpdir(), 'code-'))
afterAll(() => rmSync(home, { recursive: true }))

describe('the code that a result depends on', () => {
  const write = (name: string, text: string) => writeFileSync(join(home, name), text)
  for (const folder of ['room/own', 'other']) mkdirSync(join(home, folder), { recursive: true })
  const first = {
    'room/entry.ts':
      "import type { A } from './contract.ts'\nimport {\n  b,\n} from './own/helper.ts'\nimport x from '../other/low.ts'",
    'room/contract.ts': 'export type A = 1',
    'room/own/helper.ts': "export * from '../shared.ts'\nconst later = await import('./late.ts')",
    'room/own/late.ts': "import '../entry.ts'",
    'room/shared.ts': 'export const b = 1',
    'room/another.ts': 'export const c = 1',
    'other/low.ts': 'export const d = 1',
  }
  for (const [name, text] of Object.entries(first)) write(name, text)
  const hash = () => codeOf(pathToFileURL(join(home, 'room/entry.ts')).href)
  const original = hash()

  it.each(['room/entry.ts', 'room/contract.ts', 'room/own/helper.ts', 'room/own/late.ts', 'room/shared.ts'] as const)(
    'is that of an entry and of what it imports from its room: %s',
    (name) => {
      write(name, `${first[name]}\nexport const more = 1`)
      expect(hash()).not.toBe(original)
      write(name, first[name])
      expect(hash()).toBe(original)
    },
  )

  it.each(['room/another.ts', 'other/low.ts'])('is not that of others: %s', (name) => {
    write(name, 'export const changed = 1')
    expect(hash()).toBe(original)
  })

  it.each(Object.keys(attacks))(
    'is, of the attack %s, its own file, the contract, and no attack that it does not build on',
    (name) => {
      const files = withImports(fileOf('attacks', name)).map((file) => basename(file, '.ts'))
      expect(files).toEqual(expect.arrayContaining([name, 'attack']))
      expect(files.filter((file) => file !== name && file in attacks)).toEqual(name === 'adap-blend' ? ['blend'] : [])
    },
  )

  it('is, of all training, also that of the addon', () => {
    expect(whatTrainingDependsOn(resolveConfig({}), compute)).toContain(sourceDigest())
  })
})
