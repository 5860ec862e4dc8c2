import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { command } from './command.ts'
import { ownCache } from './own-cache.ts'

// The programs in examples/, each run as its reader would run it, on a model exported here.

const home = mkdtempSync(join(tmpdir(), 'examples-'))
const at = (name: string) => join(home, name)
const example = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url))
ownCache(at('cache'))
let server: ChildProcess
let address = ''
let expected: { class: string; probability: number }[] = []

beforeAll(async () => {
  const small = ['--dataset.train', '48', '--dataset.test', '24', '--epochs', '1', '--batch', '24', '--threads', '1']
  const { out } = await command('run', '--model.depth', '10', '--runs', at('runs'), '--json', ...small)
  const { run } = JSON.parse(out)
  expect((await command('export', run, '--onnx', '--out', home)).code).toBe(0)
  const pixels = Uint8Array.from({ length: 48 * 40 * 3 }, (_, i) => (i * i) % 251)
  const image = sharp(pixels, { raw: { width: 48, height: 40, channels: 3 } }).blur(2)
  await image.clone().png().toFile(at('image.png'))
  await image.clone().resize(32, 32).png().toFile(at('small.png')) // of the model's own size, so that nothing is resampled
  expected = await predicted('image.png')
  server = spawn(process.execPath, [example('server.js'), at('model.onnx'), '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  address = await new Promise<string>((resolve, reject) => {
    server.stdout?.once('data', (text) => resolve(String(text).trim()))
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
  })
}, 60_000)

afterAll(() => {
  server?.kill()
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

async function predicted(image: string) {
  const [run] = (await command('list', '--runs', at('runs'), '--json')).out.match(/\d{8}-[^"]+/) ?? []
  const { out } = await command('predict', join(at('runs'), run ?? ''), at(image), '--top', '12', '--json')
  return JSON.parse(out).predictions[0].guesses
}

describe('the server', () => {
  it('classifies an image as predict does', async () => {
    const response = await fetch(`${address}classify`, { method: 'POST', body: readFileSync(at('image.png')) })
    const { guesses } = (await response.json()) as { guesses: typeof expected }
    expect(guesses.map((guess) => guess.class)).toEqual(expected.map((guess) => guess.class))
    for (const [i, { probability }] of guesses.entries())
      expect(probability).toBeCloseTo(expected[i]?.probability ?? 2, 4)
  })

  it('answers what is no image with a sentence, and gives no other files', async () => {
    const refused = await fetch(`${address}classify`, { method: 'POST', body: 'no image' })
    expect([refused.status, await refused.json()]).toEqual([400, { error: expect.stringContaining('unsupported') }])
    for (const path of [
      'package.json',
      '..%2fpackage.json',
      'runtime/../../package.json',
      'runtime/ort%2f..%2f..%2fpackage.json',
    ])
      expect((await fetch(address + path)).status, path).toBe(404)
  })
})

const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync)
const quiet = [
  '--headless',
  '--no-sandbox',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
]

describe('the page', () => {
  it.skipIf(!browser)(
    'classifies an image as predict does, asking no other server (skipped without Chromium)',
    async () => {
      const { chromium } = await import('playwright-core')
      const opened = await chromium.launch({ executablePath: browser as string, args: quiet })
      try {
        const page = await opened.newPage()
        const complaints: string[] = []
        page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
        page.on('pageerror', (error) => complaints.push(error.message))
        page.on(
          'request',
          (request) =>
            /^(data|blob):/.test(request.url()) || request.url().startsWith(address) || complaints.push(request.url()),
        )
        await page.goto(address)
        await page.locator('input:enabled').setInputFiles(at('small.png'))
        const [best] = await predicted('small.png')
        const status = page.getByRole('status').filter({ hasText: 'This looks like' })
        expect(await status.textContent()).toBe(`This looks like: ${best?.class}`)
        expect(await page.getByRole('row').first().textContent()).toContain(`${(100 * best.probability).toFixed(1)} %`)
        await page.locator('input').setInputFiles(at('model.onnx'))
        await page.getByRole('status').filter({ hasText: 'Cannot classify this file' }).waitFor()
        expect(complaints).toEqual([])
      } finally {
        await opened.close()
      }
    },
    60_000,
  )
})

describe('the lines of Python', () => {
  const python = (...words: string[]) => execFileSync('/usr/bin/python3', words, { encoding: 'utf8', stdio: 'pipe' })
  const can = (modules: string) => {
    try {
      python('-c', `import ${modules}`)
      return true
    } catch {
      return false
    }
  }

  it.skipIf(!can('onnxruntime, PIL, numpy'))(
    'classify as predict does (skipped without onnxruntime for Python)',
    async () => {
      const [best] = await predicted('small.png')
      const [first = ''] = python(example('classify.py'), at('model.onnx'), at('small.png')).split('\n')
      const [probability, ...name] = first.split(' ')
      expect(name.join(' ')).toBe(best.class)
      expect(Number(probability)).toBeCloseTo(best.probability, 3)
    },
  )

  it('are Python', () => {
    expect(() =>
      python('-c', 'import ast, sys; ast.parse(open(sys.argv[1]).read())', example('classify.py')),
    ).not.toThrow()
  })
})
