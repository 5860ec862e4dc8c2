import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { showName } from '../datasets/file-names.ts'
import { escaped, html, markup } from './html.ts'

describe('html', () => {
  it('escapes what it is given, in elements and in attributes', () => {
    const name = `<script>alert("1")</script>&'`
    expect(String(html`<p title="${name}">${name}</p>`)).toBe(
      '<p title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;</p>',
    )
  })

  it('takes what a template made as it is, joins lists, and leaves out what is absent', () => {
    const items = ['a', 'b'].map((item) => html`<li>${item}</li>`)
    expect(String(html`<ul>${items}${null}${undefined}${false}${0}${markup('<hr>')}</ul>`)).toBe(
      '<ul><li>a</li><li>b</li>0<hr></ul>',
    )
  })

  it('writes out control characters and those that turn the direction of writing', () => {
    expect(escaped('a\nb\x00\x1b[31m\u202ec')).toBe('a\\x0ab\\x00\\x1b[31m\\x202ec')
    expect(escaped('\ud800')).toBe('\ufffd')
  })

  it('shows names of bytes that are no UTF-8', () => {
    expect(escaped(showName(Buffer.from([0x61, 0xff, 0x3c])))).toBe('a\\xff&lt;')
  })

  it('leaves no character of markup of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escaped(text)).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/)
      }),
    )
  })
})
