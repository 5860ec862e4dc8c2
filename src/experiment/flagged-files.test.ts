import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { showName } from '../datasets/file-names.ts'
import { drawSuspects, writeSuspects } from '../report/suspects.ts'
import { imageSet } from '../training/images.ts'
import { flaggedFiles, moveFlagged } from './flagged-files.ts'
import { flattenConfig, resolveConfig } from './settings/config.ts'

const home = mkdtempSync(join(tmpdir(), 'flagged-'))
afterAll(() => rmSync(home, { recursive: true }))

/** A finished run over a folder of files with such names; the first `flagged` of them are. */
function runOver(files: readonly Buffer[], flagged: number) {
  const at = mkdtempSync(join(home, 'run-'))
  const [data, run] = [join(at, 'photos'), join(at, 'run')]
  mkdirSync(join(data, 'cat'), { recursive: true })
  mkdirSync(run)
  for (const file of files) writeFileSync(Buffer.concat([Buffer.from(`${data}/cat/`), file]), 'an image')
  const names = files.map((file) => `cat/${showName(file)}`)
  const images = imageSet({
    pixels: new Uint8Array(3 * names.length),
    shape: [3, 1, 1],
    labels: new Int32Array(names.length),
    names,
    classes: ['cat'],
  })
  const score = Float32Array.from(names, (_, i) => -i)
  writeSuspects(join(run, 'suspects.csv'), images, { score, threshold: -flagged + 0.5, verdict: 'found' })
  const config = resolveConfig({ dataset: 'image-folder', data })
  writeFileSync(join(run, 'config.yaml'), stringify(flattenConfig(config)))
  return { at, data, run, names, images, score }
}

const odd = ['plain.jpg', '=cmd.jpg', "'=quoted.jpg", 'a "b", c.jpg', 'new\nline.jpg', 'ü.jpg'].map((name) =>
  Buffer.from(name),
)
const files = [...odd, Buffer.from([0x66, 0xff, 0x2e, 0x6a, 0x70, 0x67])]

describe('the files that a run flagged', () => {
  it('are named best first, whatever their names are', () => {
    const { run, names, data } = runOver(files, files.length - 1)
    expect(flaggedFiles(run)).toEqual({ data, names: names.slice(0, -1) })
  })

  it('are none where none is flagged', () => {
    expect(flaggedFiles(runOver(files, 0).run).names).toEqual([])
  })

  it('are moved out of the data, into folders of their classes', () => {
    const { run, data, at } = runOver(files, files.length)
    moveFlagged(flaggedFiles(run), join(at, 'aside'))
    expect(readdirSync(join(data, 'cat'))).toEqual([])
    const moved = readdirSync(join(at, 'aside', 'cat'), { encoding: 'buffer' }).map((name) => name.toString('hex'))
    expect(moved.sort()).toEqual(files.map((name) => name.toString('hex')).sort())
    expect(() => flaggedFiles(run)).toThrow("there is no file 'cat/plain.jpg'")
  })

  it('are not moved into the data, nor over other files, nor by half', () => {
    const { run, data, at } = runOver(files, files.length)
    for (const inside of [data, join(data, 'aside')])
      expect(() => moveFlagged(flaggedFiles(run), inside)).toThrow('it lies in the data')
    mkdirSync(join(at, 'aside', 'cat'), { recursive: true })
    writeFileSync(join(at, 'aside', 'cat', '=cmd.jpg'), 'another')
    expect(() => moveFlagged(flaggedFiles(run), join(at, 'aside'))).toThrow("'cat/=cmd.jpg' is there already")
    expect(readdirSync(join(data, 'cat')).length).toBe(files.length)
  })

  it('are not looked for where there is no list', () => {
    expect(() => flaggedFiles(join(home, 'nothing'))).toThrow('there is no such directory')
    expect(() => flaggedFiles(home)).toThrow('it has no suspects.csv')
    const { run } = runOver(files, 1)
    writeFileSync(join(run, 'suspects.csv'), 'a,b\n1,2\n')
    expect(() => flaggedFiles(run)).toThrow('it is no list of suspicious images')
  })
})

it('the picture shows the images with the highest scores', async () => {
  const { images, score, at } = runOver(files, 1)
  await drawSuspects(join(at, 'suspects.png'), images, { score, threshold: 0, verdict: 'none' })
  expect(existsSync(join(at, 'suspects.png'))).toBe(true)
})
