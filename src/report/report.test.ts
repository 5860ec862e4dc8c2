import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Parser } from 'htmlparser2'
import { chromium as launcher } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { exampleResult } from '../../test/example-result.ts'
import { showName } from '../datasets/file-names.ts'
import { imageSet } from '../training/images.ts'
import { type Rows, rowReader } from '../training/rows.ts'
import { readScores } from './facts.ts'
import { confusionOf, keepForReport, type ShownTrigger } from './keep.ts'
import { writeReport } from './write-report.ts'

const run = mkdtempSync(join(tmpdir(), 'report-'))
afterAll(() => rmSync(run, { recursive: true }))
const file = (name: string) => join(run, name)

const count = 400
const odd = [
  '<script>alert(1)</script>.png',
  showName(Buffer.from('line\nbreak.png')),
  showName(Buffer.from([0x62, 0xff, 0x2e, 0x70])),
  '"quotes" & \'apostrophes\'.png',
]
const classes = ['<b>cat</b>', 'dog "x"', 'http://example.org']
const labels = Int32Array.from({ length: count }, (_, i) => i % 3)
const poisoned = Int32Array.from({ length: 40 }, (_, i) => 3 * i)
const isPoisoned = (i: number) => i % 3 === 0 && i < 120
/** 1 in its class for each poisoned image, with a white pixel in the lower right corner */
const images = imageSet({
  pixels: Uint8Array.from({ length: count * 3 * 64 }, (_, k) => {
    const [i, pixel] = [Math.floor(k / 192), k % 64]
    return isPoisoned(i) && pixel === 63 ? 255 : (k * 7919 + i * 31) % 200
  }),
  shape: [3, 8, 8],
  labels,
  classes,
  names: Array.from({ length: count }, (_, i) => odd[i / 3] ?? `image-${i}.png`),
})
const suspicion = {
  score: Float32Array.from({ length: count }, (_, i) => (isPoisoned(i) ? 3 + (i % 7) / 10 : (i % 11) / 10)),
  threshold: 2,
  verdict: 'found',
} as const

const answers = labels.map((label, i) => (i % 9 === 0 ? (label + 1) % 3 : label))
/** what a model would say that follows the white pixel in the corner */
const cornerIsWhite = (rows: Rows) =>
  Float32Array.from(rows.at, (_, i) => (rowReader(rows)(i)[189] === 255 ? 0.9 : 0.1))
const trigger: ShownTrigger = {
  clean: new Uint8Array(192),
  triggered: new Uint8Array(192).fill(9),
  label: 1,
  wanted: 0,
  answer: 1,
  answerTriggered: 1,
}

beforeAll(async () => {
  await keepForReport(
    { file },
    {
      images,
      suspicion,
      model: { answers: async (shown) => shown.labels, probabilities: async ({ rows }) => cornerIsWhite(rows) },
      truth: { poisoned, covers: new Int32Array(), originalLabels: labels, hash: 'a' },
      confusions: [confusionOf('test', labels, answers)],
      trigger: [trigger],
    },
  )
  const found = {
    verdict: 'found',
    flagged: 40,
    estimatedTarget: 0,
    truePositiveRate: 1,
    falsePositiveRate: 0,
  } as const
  const result = exampleResult({ run, defense: 'deconfound', attackSuccessRate: 0.02, suspicion: found })
  writeFileSync(file('result.json'), JSON.stringify(result))
  writeFileSync(file('kind'), 'experiment\n')
  writeFileSync(file('config.yaml'), stringify({ attack: 'badnets', data: '/data/<img src=x>' }))
  const epochs = [0, 1, 2].map((epoch) => JSON.stringify({ stage: 'model', epoch, loss: 2 - epoch, accuracy: 0.5 }))
  const trace = JSON.stringify({ trace: 'weight', epoch: 0, poisonedMedian: 0.1, cleanMedian: 0.9 })
  writeFileSync(file('metrics.jsonl'), `${[...epochs, trace].join('\n')}\n`)
  await writeReport(run)
})

const text = () => readFileSync(file('report.html'), 'utf8')

/** Tags that are closed by no tag of theirs, attributes given twice, and elements by name. */
function parsed(page: string) {
  const faults: string[] = []
  const ids = new Set<string>()
  const elements: { name: string; attributes: Record<string, string> }[] = []
  const voids = ['meta', 'link', 'img', 'br', 'hr', 'input']
  const parser = new Parser({
    onopentag(name, attributes) {
      elements.push({ name, attributes })
      const { id } = attributes
      if (id !== undefined && ids.has(id)) faults.push(`id ${id} twice`)
      if (id !== undefined) ids.add(id)
    },
    onclosetag(name, implied) {
      if (implied && !voids.includes(name)) faults.push(`<${name}> is not closed`)
    },
  })
  parser.end(page.replaceAll(/<(\w+)([^<>]*) \/>/g, '<$1$2></$1>')) // as SVG may close its elements
  return { faults, elements, ids }
}

describe('the report of a run', () => {
  it('says the verdict first: how many, of how many, of which class', () => {
    const [, first] = /<main>\s*<section class="verdict found"[^>]*>(.*?)<\/section>/s.exec(text()) ?? []
    expect(first).toContain('<h1>Poisoned images found</h1>')
    expect(first).toContain('40 of 400 training images (10.0\u00a0%) are flagged')
    expect(first).toContain('&lt;b&gt;cat&lt;/b&gt;')
    expect(first).toContain('does not obey the trigger')
  })

  it('is well-formed, with a text for each picture and a scope for each head of a table', () => {
    const { faults, elements } = parsed(text())
    expect(faults).toEqual([])
    for (const { attributes } of elements.filter(({ name }) => name === 'img'))
      expect(attributes.alt?.length).toBeGreaterThan(3)
    for (const { attributes } of elements.filter(({ name }) => name === 'th'))
      expect(['col', 'row']).toContain(attributes.scope)
    const figures = elements.filter(({ attributes }) => attributes.role === 'img')
    for (const { attributes } of figures) expect(attributes['aria-label']?.length).toBeGreaterThan(10)
  })

  it('links within itself to what is there, and loads nothing from anywhere', () => {
    const { elements, ids } = parsed(text())
    for (const { name, attributes } of elements) {
      for (const key of ['src', 'href', 'xlink:href', 'data', 'action'] as const) {
        const address = attributes[key]
        if (address === undefined) continue
        if (address.startsWith('#')) expect([...ids]).toContain(address.slice(1))
        else expect(address, name).toMatch(/^data:/)
      }
    }
    expect(text()).not.toMatch(/url\(|@import/)
    expect(elements.some(({ name }) => name === 'script')).toBe(false)
  })

  it('makes odd names of files and classes harmless', () => {
    expect(text()).toContain('&lt;script&gt;alert(1)&lt;/script&gt;.png')
    expect(text()).toContain('line\\x0abreak.png')
    expect(text()).toContain('b\\xff.p')
    expect(text()).toContain('&quot;quotes&quot; &amp; &#39;apostrophes&#39;.png')
    expect(text()).not.toContain('<b>cat')
    expect(text()).not.toContain('<img src=x>')
  })

  it('writes its figures as files too, and stays small', () => {
    const names = ['classes', 'confusion-test', 'roc', 'scores', 'trace-weight', 'training-accuracy', 'training-loss']
    expect(readdirSync(file('figures')).sort()).toEqual(names.map((name) => `${name}.svg`))
    for (const name of names) {
      const svg = readFileSync(file(`figures/${name}.svg`), 'utf8')
      expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
      expect(svg).not.toMatch(/<b>cat/)
    }
    expect(statSync(file('report.html')).size).toBeLessThan(3e6)
  })

  it('keeps the scores as they were', () => {
    const scores = readScores(run)
    expect(scores?.score).toEqual(suspicion.score)
    expect(scores?.label).toEqual(labels)
    expect(scores?.truth?.reduce((a, b) => a + b, 0)).toBe(40)
  })

  it('finds the place of a trigger that all flagged images carry', () => {
    expect(text()).toContain('lies at the <strong>bottom right</strong>')
  })

  it('shows what a model looks at that follows the trigger, and claims no patch of a single pixel', () => {
    expect(text()).toContain('covers them at the <strong>bottom right</strong>')
    expect(text()).toContain('the probability falls to 10.0\u00a0%')
    expect(text()).toContain('No shared patch')
  })

  it('says where a picture is gone, and is written all the same', async () => {
    const before = text()
    const [gone = ''] = readdirSync(file('pictures')).filter((name) => name.startsWith('test-'))
    const picture = readFileSync(join(file('pictures'), gone))
    rmSync(join(file('pictures'), gone))
    expect((await writeReport(run)).missingPictures).toEqual([gone])
    expect(text()).toContain('picture gone')
    writeFileSync(join(file('pictures'), gone), picture)
    await writeReport(run)
    expect(text()).toBe(before)
  })

  const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0,
  )
  it.skipIf(chromium === undefined)(
    'prints what is folded away on a screen (skipped where there is no Chromium)',
    async () => {
      const executablePath = spawnSync('sh', ['-c', `command -v ${chromium}`], { encoding: 'utf8' }).stdout.trim()
      const browser = await launcher.launch({ executablePath, args: ['--no-sandbox'] })
      try {
        const page = await browser.newPage()
        await page.goto(`file://${file('report.html')}`)
        const shown = () =>
          page.locator('details').evaluateAll((all) => all.map((each) => each.lastElementChild?.checkVisibility()))
        expect(await shown()).toEqual([false, false, false])
        await page.emulateMedia({ media: 'print' })
        expect(await shown()).toEqual([true, true, true])
        const heights = page
          .locator('details')
          .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().height))
        expect(Math.min(...(await heights))).toBeGreaterThan(60)
      } finally {
        await browser.close()
      }
    },
    60_000,
  )

  it.skipIf(chromium === undefined)(
    'opens in Chromium without a word in its console (skipped where there is no Chromium)',
    () => {
      const flags = ['--headless', '--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader']
      const quiet = ['--disable-background-networking', '--disable-component-update', '--enable-logging=stderr']
      const profile = `--user-data-dir=${file('profile')}`
      const page = `file://${file('report.html')}`
      const { stdout, stderr } = spawnSync(chromium as string, [...flags, ...quiet, profile, '--dump-dom', page], {
        encoding: 'utf8',
        timeout: 60_000,
        maxBuffer: 1e8,
      })
      expect(stdout).toContain('Poisoned images found')
      expect(stderr).not.toContain('CONSOLE')
    },
    90_000,
  )
})
