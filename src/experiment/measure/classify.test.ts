import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compute, device } from '../../../test/device.ts'
import { predictionCsv, predictionTable } from '../../cli/predictions.ts'
import { Random } from '../../tensor/random.ts'
import { arena } from '../../tensor/scope.ts'
import { classify } from '../api.ts'
import { buildModel, saveModel } from '../store/saved-model.ts'

const home = mkdtempSync(join(tmpdir(), 'classify-'))
const at = (...names: string[]) => join(home, ...names)
const model = at('run', 'model.safetensors')
const classes = ['=cat', 'dog', 'fox', 'owl']
const machine = { device, threads: 1 }

beforeAll(async () => {
  mkdirSync(at('run'))
  mkdirSync(at('photos/more/deep'), { recursive: true })
  mkdirSync(at('empty'))
  const names = ['photos/1.png', 'photos/2.JPG', 'photos/more/3.png', 'photos/more/deep/4.png', 'photos/a\nb.png']
  for (const [i, name] of names.entries()) {
    const background = { r: 50 * i, g: 200 - 40 * i, b: 10 }
    await sharp({ create: { width: 20, height: 20, channels: 3, background } })
      .png()
      .toFile(at(name))
  }
  writeFileSync(at('photos/notes.txt'), 'no image')
  writeFileSync(at('photos/.hidden.png'), 'no image')
  writeFileSync(at('photos/more/broken.png'), 'no image')
  symlinkSync('/etc', at('photos/etc'))
  await arena(async () => {
    const of = {
      model: 'wrn',
      options: { depth: 10, width: 1 },
      classes,
      shape: [3, 32, 32],
      normalization: null,
      fit: 'cover',
    } as const
    saveModel(model, buildModel(of, { random: new Random(5), compute }), of)
  })
})
afterAll(() => rmSync(home, { recursive: true }))

const said = async (...words: string[]) => {
  const found = await classify(at('run'), words, machine)
  return found.map(({ file, problem }) => [file.replace(`${home}/`, ''), problem])
}

describe('what is classified', () => {
  it('are the images in a folder and those therein, each file that is none named', async () => {
    expect(await said(at('photos'))).toEqual([
      ['photos/1.png', null],
      ['photos/2.JPG', null],
      ['photos/a\\x0ab.png', null],
      ['photos/more/3.png', null],
      ['photos/more/broken.png', expect.any(String)],
      ['photos/more/deep/4.png', null],
      ['photos/etc', expect.stringContaining('link')],
    ])
  })

  it('is what a pattern stands for that the shell has left as it is', async () => {
    expect(await said(at('photos/*.png'))).toEqual([
      ['photos/1.png', null],
      ['photos/a\\x0ab.png', null],
    ])
    expect(await said(at('ph*/m?re/[3].png'), at('p*/m?re/3.*'))).toEqual([
      ['ph*/m?re/[3].png', 'no file matches the pattern'],
      ['photos/more/3.png', null],
    ])
    expect(await said(at('photos/m*'))).toHaveLength(3)
  })

  it.each([
    ['nowhere.png', 'there is no such file'],
    ['empty', 'there are no image files in it'],
    ['*.gif', 'no file matches the pattern'],
    ['photos/notes.txt', expect.any(String)],
  ])('is refused by name and keeps the others from nothing: %s', async (name, problem) => {
    expect(await said(at(name), at('photos/1.png'))).toEqual([
      [name, problem],
      ['photos/1.png', null],
    ])
  })
})

describe('what is said of an image', () => {
  it('are its most probable classes, the best first, whatever is classified with it', async () => {
    const [alone] = await classify(model, [at('photos/more/3.png')], { ...machine, top: 9 })
    const guesses = alone?.guesses ?? []
    expect(guesses.map((each) => each.class).sort()).toEqual(classes)
    expect(guesses.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1)
    expect(guesses.map(({ probability }) => probability)).toEqual(
      guesses.map(({ probability }) => probability).sort((a, b) => b - a),
    )
    expect(alone).toMatchObject({ class: guesses[0]?.class, probability: guesses[0]?.probability, problem: null })
    const all = await classify(model, [at('photos')], { ...machine, top: 2 })
    const among = all.find(({ file }) => file.endsWith('3.png'))
    expect(among?.guesses.map((each) => each.class)).toEqual(guesses.slice(0, 2).map((each) => each.class))
    expect(among?.probability).toBeCloseTo(alone?.probability as number, 5)
  })

  it('is printed as a table, what was refused below, or as CSV without formulas', () => {
    const guesses = [
      { class: '=cat', probability: 0.75 },
      { class: 'dog', probability: 0.25 },
    ]
    const good = { file: '@1.png', class: '=cat', probability: 0.75, guesses, problem: null }
    const bad = { file: 'x.txt', class: null, probability: null, guesses: [], problem: 'it is no image, "really"' }
    expect(predictionTable([bad, good])).toBe(
      '@1.png  =cat  75.00 %  dog  25.00 %\nx.txt  refused: it is no image, "really"',
    )
    expect(predictionCsv([bad, good], 3)).toBe(
      [
        'file,problem,class,probability,class-2,probability-2',
        '"x.txt","it is no image, ""really""",,,,',
        `"'@1.png",,"'=cat",0.750000,"dog",0.250000`,
        '',
      ].join('\n'),
    )
  })
})
