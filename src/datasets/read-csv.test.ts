import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCsv } from './read-csv.ts'

const records = (text: string, separator?: string) => [...readCsv(text, separator)]
const fields = (text: string, separator?: string) => records(text, separator).map((record) => record.fields)

describe('a CSV', () => {
  it.each([
    [
      'plain lines',
      'a,b\nc,d\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'no line feed at the end',
      'a,b\nc,d',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'CRLF',
      'a,b\r\nc,d\r\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'CR alone',
      'a,b\rc,d\r',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['a byte order mark', '\ufeffa,b\n', [['a', 'b']]],
    [
      'quotes around separators, ends of lines and quotes',
      '"a,1","b\r\n2"\n"say ""x""",',
      [
        ['a,1', 'b\r\n2'],
        ['say "x"', ''],
      ],
    ],
    ['a quote within a plain field', 'a"b,c\n', [['a"b', 'c']]],
    ['blank lines', '\n\na,b\n\n', [['a', 'b']]],
    [
      'empty fields',
      ',\n"",""\n',
      [
        ['', ''],
        ['', ''],
      ],
    ],
    ['nothing', '', []],
  ])('is read with %s', (_, text, expected) => {
    expect(fields(text)).toEqual(expected)
  })

  it('may have another separator', () => {
    expect(fields('a;b,c\n', ';')).toEqual([['a', 'b,c']])
  })

  it('is read the same when every field is quoted, with the lines that its records begin on', () => {
    const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ') })
    fc.assert(
      fc.property(fc.array(fc.array(field, { minLength: 2, maxLength: 4 })), (rows) => {
        const quoted = rows.map((row) => row.map((each) => `"${each.replaceAll('"', '""')}"`).join(','))
        expect(fields(quoted.join('\n'))).toEqual(rows)
      }),
    )
    expect(records('"a\nb",c\n\nd,e\n').map(({ line }) => line)).toEqual([1, 4])
  })

  it('loses a line by a fault and no more, and says which', () => {
    const found = records('a,b\nc,"d" e\nf,g\n"h,i\nj,k\n')
    expect(found.map(({ line, fields, fault }) => [line, fault ?? fields])).toEqual([
      [1, ['a', 'b']],
      [2, 'text follows a closing quote'],
      [3, ['f', 'g']],
      [4, 'a quote that opens is not closed'],
      [5, ['j', 'k']],
    ])
  })

  it('takes any text, in time that grows with its length', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('"', ',', '\n', 'a') }), (text) => void records(text)))
    const began = performance.now()
    records('"a""\n'.repeat(100_000))
    expect(performance.now() - began).toBeLessThan(3000)
  })
})
