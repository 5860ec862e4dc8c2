import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { z } from 'zod'
import { ppm, put } from '../../test/data-examples.ts'
import { ownCache } from '../../test/own-cache.ts'
import { UserError } from '../errors.ts'
import { manifest } from './manifest.ts'

describe('manifest', () => {
  let home: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'manifest-'))
    ownCache(join(home, 'cache'))
    for (let i = 0; i < 6; i++) await put(join(home, 'data', `${i}.ppm`), ppm(10, 10, i))
    await put(join(home, 'data', 'in, side/a "b".ppm'), ppm(10, 10, 9))
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })

  const load = async (
    text: string,
    { name = 'list.csv', ...options }: { name?: string } & z.input<typeof manifest.options> = {},
  ) => {
    const data = join(home, 'data', name)
    await put(data, text)
    const given = manifest.options.parse({ size: 8, ...options })
    return manifest.load(given, { data, seed: 1, progress: () => undefined })
  }
  /** what was left out, by the end of its name */
  const told = async (text: string, options: Parameters<typeof load>[1] = {}) => {
    const { problems } = await load(text, { maxBroken: 1, ...options })
    return problems.map(({ file, reason }) => [file.slice(join(home, 'data').length + 1), reason])
  }

  it('takes images, labels and splits from a CSV', async () => {
    const { train, test, problems } = await load(
      '\ufeffid,Filename,class,SET\r\n1,0.ppm,b,train\r\n2,1.ppm,a,training\r\n3,2.ppm,b,val\r\n4,"in, side/a ""b"".ppm",a,\r\n',
    )
    expect(train.names).toEqual(['0.ppm', '1.ppm', 'in, side/a "b".ppm'])
    expect([train.classes, [...train.labels]]).toEqual([
      ['a', 'b'],
      [1, 0, 0],
    ])
    expect([test?.names, [...(test?.labels ?? [])]]).toEqual([['2.ppm'], [1]])
    expect(problems).toEqual([])
  })

  it('takes the same from JSON lines, semicolons and tabs', async () => {
    const csv = await load('path,label\n0.ppm,7\n1.ppm,11\n2.ppm,7\n')
    const lines =
      '{"path":"0.ppm","label":7}\n\n{"label":"11","image":"1.ppm","note":{"label":3}}\n{"file":"2.ppm","class":7,"split":null}\n'
    for (const [name, text] of [
      ['list.jsonl', lines],
      ['semicolons.csv', 'path;label\n0.ppm;7\n1.ppm;11\n2.ppm;7\n'],
      ['list.tsv', 'path\tlabel\n0.ppm\t7\n1.ppm\t11\n2.ppm\t7\n'],
    ] as const) {
      const other = await load(text, { name })
      expect([other.train.hash, other.problems]).toEqual([csv.train.hash, []])
    }
    expect(csv.train.classes).toEqual(['7', '11'])
  })

  it('measures on the split test before val, and says what is not used', async () => {
    const { test, notes } = await load(
      'path,label,split\n0.ppm,a,train\n1.ppm,b,train\n2.ppm,a,validation\n3.ppm,a,test\n',
    )
    expect(test?.names).toEqual(['3.ppm'])
    expect(notes).toEqual(['1 image of the split "val" is not used'])
  })

  const good = 'path,label\n0.ppm,a\n1.ppm,b\n'
  it.each([
    ['a file that is not there', 'no.ppm,a', 'list.csv:4: no.ppm', 'there is no such file'],
    [
      'a path out of the folder',
      '../data/0.ppm,a',
      'list.csv:4: ../data/0.ppm',
      'it leads out of the folder of the list',
    ],
    ['an absolute path', '/etc/passwd,a', 'list.csv:4: /etc/passwd', 'it leads out of the folder of the list'],
    ['a folder', 'in, side,a', 'list.csv:4', 'it has 3 fields, and line 1 2'],
    ['a folder, quoted', '"in, side",a', 'list.csv:4: in, side', 'it is a folder'],
    ['no label', '2.ppm,', 'list.csv:4', 'it has no label'],
    ['a label that is not a number', '2.ppm,NaN', 'list.csv:4', 'it has no label'],
    ['no path', ' ,a', 'list.csv:4', 'it names no image'],
    ['an open quote', '"2.ppm,a', 'list.csv:4', 'a quote that opens is not closed'],
    ['an image twice', '0.ppm,a', 'list.csv:4: 0.ppm', 'line 2 lists it already'],
  ])('tells of a line with %s, by file and line', async (_, line, file, reason) => {
    expect(await told(`${good}${line}\n2.ppm,a\n`)).toEqual([[file, reason]])
  })

  it.each([
    ['not JSON', '{"path": "2.ppm", "label": NaN}', 'it is not JSON'],
    ['no object', '["2.ppm", "a"]', 'it is not a JSON object'],
    ['a key that comes twice', '{"path":"2.ppm","label":"a","la\\u0062el":"b"}', 'the key "label" comes twice'],
    ['two words for one thing', '{"path":"2.ppm","label":"a","class":"b"}', 'two keys give its label'],
    ['a label that is an object', '{"path":"2.ppm","label":{}}', 'its label is neither text nor a number'],
    ['the key __proto__ alone', '{"__proto__":{"path":"2.ppm","label":"a"}}', 'it names no image'],
    [
      'an unknown split',
      '{"path":"2.ppm","label":"a","split":"fold 1"}',
      'its split is none of train, test and val, but "fold 1"',
    ],
  ])('tells of a line of %s', async (_, line, reason) => {
    const start = '{"path":"0.ppm","label":"a"}\n{"path":"1.ppm","label":"b"}\n'
    expect(await told(start + line, { name: 'list.jsonl' })).toEqual([['list.jsonl:3', reason]])
  })

  it('uses no image that has two labels', async () => {
    const { train, problems } = await load(`${good}2.ppm,a\n2.ppm,b\n`)
    expect(train.names).toEqual(['0.ppm', '1.ppm'])
    expect(problems.map(({ reason }) => reason)).toEqual([
      'line 4 gives it another label, so it is not used',
      'a later line gives it another label, so it is not used',
    ])
  })

  it('follows no link out of the folder, neither of a file nor of a folder', async () => {
    await put(join(home, 'secret', '1.ppm'), ppm(10, 10, 1))
    await symlink(join(home, 'secret'), join(home, 'data', 'out'))
    await symlink(join(home, 'secret', '1.ppm'), join(home, 'data', 'link.ppm'))
    await symlink(join(home, 'data', '2.ppm'), join(home, 'data', 'inner.ppm'))
    await mkdir(join(home, 'data', 'deep'))
    expect(await told(`${good}out/1.ppm,a\nlink.ppm,a\ninner.ppm,a\ndeep/../out/1.ppm,b\n`)).toEqual([
      ['list.csv:4: out/1.ppm', 'its folder: it is a link out of the folder'],
      ['list.csv:5: link.ppm', 'it is a link out of the folder'],
      ['list.csv:7: deep/../out/1.ppm', 'its folder: it is a link out of the folder'],
    ])
  })

  it('refuses a list of which too many lines are unusable, and names the first', async () => {
    const text = `${good}no.ppm,a\nno2.ppm,a\nno3.ppm,a\n`
    await expect(load(text)).rejects.toThrow(
      /more than a share of 0.5: 3 of 5 lines are unusable; the first is ".*list.csv:4: no.ppm"/,
    )
    await expect(load(text, { maxBroken: 0.6 })).resolves.toBeDefined()
  })

  it.each([
    ['file,kind\n0.ppm,a\n', 'line 1: its first line names no column for the label'],
    ['path,file,label\n', 'line 1: its first line names more than one column for the path'],
    ['', 'names no column for the path'],
    ['path,label\n0.ppm,a\n1.ppm,a\n', 'the training images there have 1 label'],
    [`path,label,split\n0.ppm,a,\n1.ppm,b,\n2.ppm,c,test\n`, 'test images have labels that no training image has: c'],
  ])('refuses the list %j', async (text, reason) => {
    await expect(load(text)).rejects.toThrow(reason)
    await expect(load(text)).rejects.toMatchObject({ code: 3 })
  })

  it('gives images or a reason for any text, and pollutes nothing', async () => {
    const word = fc.constantFrom(
      'path',
      'label',
      'split',
      '0.ppm',
      '1.ppm',
      'a',
      'b',
      '..',
      '/',
      '__proto__',
      'constructor',
      'NaN',
      '"',
      ',',
      '\n',
      '\r\n',
      '{',
      '}',
      ':',
      '"path"',
      '"label"',
      '\0',
      '\u202e',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(word, { maxLength: 30 }),
        fc.constantFrom('list.csv', 'list.jsonl'),
        async (parts, name) => {
          const start = name === 'list.csv' ? good : ''
          const result = await load(start + parts.join(''), { name, maxBroken: 1 }).catch((error: unknown) => error)
          if (result instanceof Error) expect(result).toBeInstanceOf(UserError)
          expect(({} as { label?: unknown }).label).toBeUndefined()
        },
      ),
      { numRuns: 200 },
    )
  }, 20_000)
})
