import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as engine from '../src/experiment/export/second-engine.ts'
import { command } from './command.ts'
import { ownCache } from './own-cache.ts'

// `deconfound export`, as a shell would give it.

const home = mkdtempSync(join(tmpdir(), 'export-command-'))
ownCache(join(home, 'cache'))
vi.mock('../src/experiment/export/second-engine.ts', { spy: true })
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

const json = async (...words: string[]) => {
  const { code, out, error } = await command(...words, '--json')
  expect(error).not.toContain('Cannot')
  expect(code).toBe(0)
  return JSON.parse(out)
}

let run = ''
beforeAll(async () => {
  const small = ['--dataset.train', '48', '--dataset.test', '24', '--epochs', '1', '--batch', '24']
  const words = ['run', '--model.depth', '10', '--threads', '1', '--runs', join(home, 'runs'), ...small]
  ;({ run } = await json(...words))
})

describe('export', () => {
  it('writes both files, each compared on 1,000 images, test images among them', async () => {
    const { files } = await json('export', run)
    const compared = { images: 1000, drawn: 976, sameClass: 1000 }
    expect(files).toEqual([
      { format: 'onnx', file: join(run, 'export', 'model.onnx'), ...compared, ...anyDifference },
      { format: 'safetensors', file: join(run, 'export', 'model.safetensors'), ...compared, ...anyDifference },
    ])
    for (const { file, largestDifference } of files) {
      expect(existsSync(file)).toBe(true)
      expect(largestDifference).toBeLessThan(1e-4)
    }
    expect(files[1].largestDifference).toBe(0)
  })

  it('gives a safetensors file that is a model here too', async () => {
    const exported = join(run, 'export', 'model.safetensors')
    const again = await json('export', exported, '--safetensors', '--out', join(home, 'again'))
    expect(readFileSync(again.files[0].file).equals(readFileSync(exported))).toBe(true)
  })

  it('overwrites nothing but its own', async () => {
    expect((await command('export', run, '--onnx')).code).toBe(0)
    const out = join(home, 'other')
    await json('export', run, '--safetensors', '--out', out)
    writeFileSync(join(out, 'model.onnx'), 'precious')
    const { code, error } = await command('export', run, '--out', out)
    expect([code, error]).toEqual([2, expect.stringContaining('there is another file; remove it, or choose another')])
    expect(readFileSync(join(out, 'model.onnx'), 'utf8')).toBe('precious')
  })

  it.each([
    ['logits', (logits: Float32Array) => logits.map((value) => value + 2e-4)],
    ['no numbers', (logits: Float32Array) => logits.fill(Number.NaN)],
    ['too few', (logits: Float32Array) => logits.subarray(1)],
  ])('writes nothing where the second engine gives other %s', async (_, changed) => {
    const open = vi.mocked(engine.openSecondEngine)
    const { openSecondEngine } = await vi.importActual<typeof engine>('../src/experiment/export/second-engine.ts')
    open.mockImplementationOnce(async (bytes) => {
      const { run: answer, close } = await openSecondEngine(bytes)
      const run: typeof answer = async (...given) => {
        const { logits, probabilities } = await answer(...given)
        return { logits: changed(logits), probabilities }
      }
      return { run, close }
    })
    const out = join(home, 'refused')
    const { code, error } = await command('export', run, '--onnx', '--out', out)
    expect([code, error]).toEqual([7, expect.stringContaining('a second engine answers otherwise')])
    expect(existsSync(out) ? readdirSync(out) : []).toEqual([])
  })

  it('is compared on images drawn at random where the data are gone', async () => {
    const config = join(run, 'config.yaml')
    const text = readFileSync(config, 'utf8')
    writeFileSync(
      config,
      text.replace('dataset: signs', 'dataset: image-folder\ndata: /nowhere').replace(/^dataset\..*\n/gm, ''),
    )
    const { code, out, error } = await command('export', run, '--onnx')
    writeFileSync(config, text)
    expect(code).toBe(0)
    expect(error).toContain('the export is compared on images drawn at random')
    expect(out).toContain('compared on 1000 images, all of them drawn at random: the same class for 1000')
  })

  it('refuses what is no model', async () => {
    expect(await command('export', home)).toMatchObject({
      code: 2,
      error: expect.stringContaining('Cannot find a model'),
    })
    expect(await command('export')).toMatchObject({ code: 2, error: expect.stringContaining('without <model>') })
  })
})

const anyDifference = { largestDifference: expect.any(Number), tolerance: 1e-4 }
