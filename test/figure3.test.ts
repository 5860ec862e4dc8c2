import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { command } from './command.ts'
import { ownCache } from './own-cache.ts'

const home = mkdtempSync(join(tmpdir(), 'figure3-'))
afterAll(() => rmSync(home, { recursive: true }))
ownCache(join(home, 'cache'))

const json = async (...words: string[]) => {
  const { code, out, error } = await command(...words, '--json')
  expect([code, error]).toEqual([0, expect.not.stringContaining('Cannot')])
  return JSON.parse(out)
}

const small = ['--dataset.train', '96', '--dataset.test', '24', '--model.depth', '10', '--batch', '16', '--epochs', '1']
const run = (...words: string[]) =>
  json('run', '--attack', 'badnets', '--runs', join(home, 'runs'), '--threads', '1', ...small, ...words)

describe('figure 3', () => {
  it('draws r and z at the beginning and at the end, and says among whom the poison lies', async () => {
    const experiment = await run('--defense', 'cbd', '--defense.confounder-epochs', '1')
    const figure = await json('figure3', experiment.run)
    expect(figure).toMatchObject({ images: 96, poisonedImages: experiment.poisonedImages, method: 't-sne' })
    expect(figure.panels.map(({ portrait }: { portrait: string }) => portrait).sort()).toEqual([
      'confounder/beginning',
      'confounder/end',
      'model/beginning',
      'model/end',
    ])
    for (const { trueClass, target, trustworthiness } of figure.panels) {
      for (const share of [trueClass, target, trustworthiness]) {
        expect(share).toBeGreaterThanOrEqual(0)
        expect(share).toBeLessThanOrEqual(1)
      }
    }
    const picture = readFileSync(figure.files.picture, 'utf8')
    expect(picture.match(/<g transform="translate\(\d+ \d+\)" font-size/g)?.length).toBe(4)
    expect(picture).not.toMatch(/<script|href="http/)
    expect(JSON.parse(readFileSync(figure.files.places, 'utf8')).drawn[0].places.length).toBe(96)
    // the same picture again
    await json('figure3', experiment.run)
    expect(readFileSync(figure.files.picture, 'utf8')).toBe(picture)
  })

  it('has one panel for a defense that portrays nothing itself, and no shares without poison', async () => {
    const experiment = await run('--defense', 'none', '--attack', 'none')
    const figure = await json('figure3', experiment.run, '--method', 'principal-components')
    expect(figure.panels).toMatchObject([{ portrait: 'model/end', trueClass: null, target: null }])
  })

  it('says what is missing', async () => {
    const { code, error } = await command('figure3', home)
    expect([code, error]).toEqual([2, expect.stringContaining('Cannot draw embeddings: there is no')])
  })
})
