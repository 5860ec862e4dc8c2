import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { nameBytes, showName } from '../datasets/file-names.ts'
import { imageSet } from '../training/images.ts'
import { writeSuspects } from './suspects.ts'

const home = mkdtempSync(join(tmpdir(), 'suspects-'))
afterAll(() => rmSync(home, { recursive: true }))

/** The rows of a list of images with these labels and names, the first the most suspicious. */
function written(names: readonly string[], classes = names): string[][] {
  const count = names.length
  const images = imageSet({
    pixels: new Uint8Array(3 * count),
    shape: [3, 1, 1],
    labels: Int32Array.from({ length: count }, (_, i) => i),
    classes,
    names,
  })
  const score = Float32Array.from({ length: count }, (_, i) => -i)
  const path = join(home, 'suspects.csv')
  writeSuspects(path, images, { score, threshold: -0.5, verdict: 'found' })
  const [heads, ...rows] = parseCsv(readFileSync(path, 'utf8'))
  expect(heads).toEqual(['rank', 'flagged', 'score', 'label', 'file'])
  return rows
}

/** RFC 4180, as a spreadsheet reads it. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    row.push(quoted === undefined ? (plain as string) : quoted.replaceAll('""', '"'))
    if (end === ',') continue
    rows.push(row)
    row = []
  }
  return rows
}

describe('suspects.csv', () => {
  it('ranks the images, and marks those above the threshold', () => {
    expect(written(['a/1.png', 'b/2.png'], ['a', 'b'])).toEqual([
      ['1', 'yes', '0.0000', 'a', 'a/1.png'],
      ['2', 'no', '-1.0000', 'b', 'b/2.png'],
    ])
  })

  it.each(["=cmd|' /C calc'!A0", '+1+1', '-2+3', '@SUM(A1:A9)', '=HYPERLINK("http://a","b")'])(
    'shows a name that would be a formula as text: %s',
    (name) => {
      for (const [, , , label, file] of written([name])) expect([label, file]).toEqual([`'${name}`, `'${name}`])
    },
  )

  it('holds one image a line whatever the names are, and no cell begins a formula', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 8 }),
        (bytes) => {
          const names = [...new Set(bytes.map(showName))]
          const rows = written(names)
          expect(rows.length).toBe(names.length)
          for (const [i, [, , , label = '', file = '']] of rows.entries()) {
            expect(label).not.toMatch(/^[=+\-@\t\r\n]/)
            expect([names[i], `'${names[i]}`]).toContain(file)
          }
        },
      ),
    )
  })

  it('holds markup as it is, for who shows it to make harmless', () => {
    const name = '<img src=x onerror="alert(1)">/a&b.png'
    expect(written([name])[0]?.[4]).toBe(name)
  })

  it('names a file with a newline or other bytes so that the name gives them back', () => {
    const odd = Buffer.concat([Buffer.from('a\nb\\c\u202e'), Buffer.from([0xff])])
    expect(written([showName(odd)])[0]?.[4]).toBe('a\\x0ab\\x5cc\\xe2\\x80\\xae\\xff')
    expect(nameBytes(showName(odd)).equals(odd)).toBe(true)
  })
})
