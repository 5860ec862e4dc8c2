import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { table } from './tables.ts'
import { onOneLine, print, printJson, shown, tell, visible } from './terminal.ts'

let printed = ''
const collect = (text: string | Uint8Array) => {
  printed += text
  return true
}
vi.spyOn(process.stdout, 'write').mockImplementation(collect)
vi.spyOn(process.stderr, 'write').mockImplementation(collect)
afterEach(() => {
  printed = ''
})

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal obeys
const obeyed = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/
const parts = fc.constantFrom('\x1b[2J', '\x1b]0;title\x07', '\x9b31m', '\r', '\b', '\u202e', '\0', 'photo', 'ä', '😀')
const name = fc.array(parts, { minLength: 1 }).map((chosen) => chosen.join(''))

describe('a name from a stranger', () => {
  it('is printed without what a terminal obeys, and JSON gives it back whole', () => {
    fc.assert(
      fc.property(name, (text) => {
        printed = ''
        print(text)
        tell(`skipped ${text}: it is no image`, 'red')
        print(table([[text, `${text}\n\t`]]))
        expect(printed).not.toMatch(obeyed)
        printed = ''
        printJson({ file: text })
        expect(printed).not.toMatch(obeyed)
        expect(JSON.parse(printed)).toEqual({ file: text })
      }),
    )
  })

  it('stays on one line of a table', () => {
    expect(onOneLine('a\nb\tc')).toBe('a\\nb\\tc')
    expect(visible('\x1b[31mred\nnext')).toBe('\\x1b[31mred\nnext')
  })
})

describe('a path', () => {
  const here = process.cwd()

  it('under the current folder is told relative to it, any other whole', () => {
    print(`running in ${here}/runs/a, not in /x${here}/b, and ${here}-other/c`)
    expect(printed).toBe(`running in runs/a, not in /x${here}/b, and ${here}-other/c\n`)
    expect([shown(`${here}/runs/a`), shown('/elsewhere/a')]).toEqual(['runs/a', '/elsewhere/a'])
  })
})

it('nothing is colored where the output is no terminal', () => {
  print('verdict  found: there is evidence')
  tell('Cannot do it', 'red')
  expect(printed).toBe('verdict  found: there is evidence\nCannot do it\n')
})
