import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nameBytes, showName } from './file-names.ts'

describe('showName', () => {
  it.each([
    ['plain text', Buffer.from('Straße 7 🚸 =cmd <b>.png'), 'Straße 7 🚸 =cmd <b>.png'],
    ['bytes that are not UTF-8', Buffer.from('a\xff\xc3.png', 'latin1'), 'a\\xff\\xc3.png'],
    ['a newline', Buffer.from('a\nb'), 'a\\x0ab'],
    ['a backslash', Buffer.from('a\\xff'), 'a\\x5cxff'],
    ['a change of direction', Buffer.from('a\u202egnp.exe'), 'a\\xe2\\x80\\xaegnp.exe'],
    ['a replacement character of its own', Buffer.from('a\ufffd'), 'a\ufffd'],
    ['an encoded surrogate', Buffer.from([0xed, 0xa0, 0x80]), '\\xed\\xa0\\x80'],
  ])('shows %s', (_, bytes, shown) => {
    expect(showName(bytes)).toBe(shown)
    expect(nameBytes(shown)).toEqual(bytes)
  })

  it('gives any bytes back', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
    )
    fc.assert(
      fc.property(bytes, (name) => {
        const shown = showName(name)
        expect(nameBytes(shown)).toEqual(Buffer.from(name))
        expect(shown).not.toMatch(/\p{Cc}/u)
      }),
      { numRuns: 2000 },
    )
  })
})
