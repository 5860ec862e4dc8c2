import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RunList } from '../../src/web/answers.ts'
import { type PageServer, startServer } from '../../src/web/server.ts'
import { addEpoch, writePhotos, writePortraits, writeRun } from '../run-example.ts'
import { complaints } from './accessible.ts'

// The page in a browser, as a person uses it.

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const args = ['--headless', '--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader']
const quiet = ['--disable-background-networking', '--disable-component-update']

const home = mkdtempSync(join(tmpdir(), 'page-'))
const runs = join(home, 'runs')
const markup = '<img src=x onerror=alert(1)>'
let server: PageServer
let browser: Browser
let page: Page
const errors: string[] = []

describe.skipIf(!executablePath)(
  `the page in a browser${executablePath ? '' : ' (skipped: there is no Chromium here)'}`,
  () => {
    beforeAll(async () => {
      const configFile = fileURLToPath(new URL('../../src/web/page/vite.config.ts', import.meta.url))
      await build({ configFile, logLevel: 'error', build: { outDir: join(home, 'page') } })
      await writePhotos(join(home, 'photos'), [markup, 'ship'], 6)
      const suspects = Array.from({ length: 6 }, (_, i) => [markup, `${markup}/${i}.png`] as const)
      const found = writeRun(runs, `found-${markup.replaceAll('/', '')}`, {
        kind: 'training',
        settings: { dataset: 'image-folder', data: join(home, 'photos'), attack: 'none', 'test-share': 0 },
        result: { suspicion: { verdict: 'found', flagged: 2, remarks: [markup] }, heldOutAgreement: 0.8 },
        suspects,
      })
      writePortraits(found, 12)
      addEpoch(found, 0, { loss: 1, [markup]: 2 })
      const large = writeRun(runs, 'large', { settings: { seed: 2, defense: 'none' } })
      writePortraits(large, 10_000)
      for (const epoch of [0, 1, 2]) addEpoch(large, epoch)
      addEpoch(writeRun(runs, 'live', { result: null }), 0)
      server = await startServer({ runs, port: 0, page: join(home, 'page') })
      browser = await chromium.launch({ executablePath: executablePath as string, args: [...args, ...quiet] })
    })
    afterAll(async () => {
      await browser?.close()
      await server?.close()
      rmSync(home, { recursive: true })
    })

    beforeEach(async () => {
      page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
      page.on('pageerror', (error) => errors.push(String(error)))
      page.on('dialog', (dialog) => errors.push(`a dialog: ${dialog.message()}`))
      page.on(
        'request',
        (request) =>
          /^about:/.test(request.url()) || request.url().startsWith(server.url) || errors.push(`asks ${request.url()}`),
      )
    })
    afterEach(async () => {
      await page.close()
      expect(errors.splice(0)).toEqual([])
    })

    const open = (hash = '#/') => page.goto(server.url + hash)
    async function openRun(name: string, part = ''): Promise<void> {
      const { runs } = (await (await fetch(`${server.url}api/runs`)).json()) as RunList
      await open(`#/run/${runs.find((each) => each.name.includes(name))?.id}${part}`)
    }
    /** A line around the left or the right half of the points. */
    async function drag(side: 'left' | 'right'): Promise<void> {
      const { x, y, width, height } = (await page.locator('canvas.points').boundingBox()) as DOMRect
      const [from, to] = side === 'left' ? [0.01, 0.49] : [0.51, 0.99]
      const corners = [
        [from, 0.02],
        [to, 0.02],
        [to, 0.98],
        [from, 0.98],
        [from, 0.02],
      ] as [number, number][]
      const [first, ...others] = corners.map(([across, down]) => [x + across * width, y + down * height] as const)
      await page.mouse.move(...(first as readonly [number, number]))
      await page.mouse.down()
      for (const corner of others) await page.mouse.move(...corner, { steps: 3 })
      await page.mouse.up()
    }

    it('shows the runs within a second, markup in their names as text', async () => {
      const times: number[] = []
      for (let i = 0; i < 10 && !(Math.min(...times) < 1000); i++) {
        const began = performance.now()
        await page.goto('about:blank')
        await open()
        await page.getByRole('link', { name: /found-/ }).waitFor()
        times.push(performance.now() - began)
      }
      expect(Math.min(...times)).toBeLessThan(1000) // others may be at work on this machine
      expect(await page.getByRole('link', { name: markup }).count()).toBe(1)
      expect(await page.locator('main img').count()).toBe(0)
      await page.getByRole('searchbox').fill('cbd found')
      expect(await page.getByRole('status').textContent()).toBe('1 of 3 runs')
    })

    it('tells the verdict first, and markup in remarks, metrics and labels as text', async () => {
      await openRun('found-')
      await page.getByText('Poison found: 2 images look poisoned').waitFor()
      await page.getByText(markup, { exact: true }).first().waitFor()
      await page.locator('.plot canvas').first().waitFor()
      expect(await page.locator('img[src="x"]').count()).toBe(0)
    })

    it('draws an epoch when it ends, without being asked', async () => {
      await openRun('live')
      const table = page.locator('figure').filter({ hasText: 'loss as a table' })
      await table.locator('summary').click()
      expect(await table.getByRole('row').count()).toBe(2)
      addEpoch(join(runs, 'live'), 1)
      await table.getByRole('row').nth(2).waitFor({ timeout: 15_000 })
      expect(await table.getByRole('row').nth(2).textContent()).toBe('20.5')
    })

    it('compares runs that were checked in the list', async () => {
      await open()
      for (const name of ['large', 'live']) await page.getByLabel(`Compare ${name}`, { exact: true }).check()
      await page.getByRole('link', { name: 'Compare 2 runs' }).click()
      const rows = page.getByRole('row')
      await rows.filter({ hasText: 'defense' }).first().waitFor()
      expect(await rows.filter({ hasText: /^seed/ }).textContent()).toMatch(/^seed(21|12)$/)
      expect(await rows.filter({ hasText: /^attack/ }).count()).toBe(0)
      for (const name of ['run 1 model', 'run 2 model']) await page.getByText(name).first().waitFor()
    })

    it('chooses the images inside a lasso, and shows them', async () => {
      await openRun('found-', '/embeddings')
      await page.locator('canvas.points').waitFor()
      const chosen = page.getByRole('region', { name: 'Chosen' })
      const labels = async () => new Set(await chosen.locator('li > span').allTextContents())
      await drag('left')
      await chosen.getByText('6 images').waitFor()
      const left = await labels()
      await drag('right')
      await page.waitForFunction(
        (before) => !document.querySelector('.thumbnails')?.textContent?.includes(before),
        [...left][0] as string,
      )
      expect(new Set([...left, ...(await labels())])).toEqual(
        new Set([markup, 'class 1'].map((name) => (name === markup ? 'class 0' : name))),
      )
      const picture = chosen.getByRole('img').first()
      await picture.waitFor()
      await page.waitForFunction(
        () => (document.querySelector('.thumbnails img') as HTMLImageElement)?.naturalWidth > 0,
      )
      await chosen
        .getByText('ship/')
        .or(chosen.getByText(`${markup}/`))
        .first()
        .waitFor()
    })

    it('shows the image under the pointer, and zooms by keys', async () => {
      await openRun('found-', '/embeddings')
      const canvas = page.locator('canvas.points')
      await canvas.waitFor()
      const { x, y, width, height } = (await canvas.boundingBox()) as DOMRect
      const under = page.getByRole('region', { name: 'Under the pointer' })
      for (let step = 0; step < 400 && (await under.getByRole('img').count()) === 0; step++) {
        await page.mouse.move(x + width * ((step % 20) / 20), y + height * (0.3 + Math.floor(step / 20) / 50))
      }
      expect(await under.getByRole('img').count()).toBe(1)
      const inView = page.getByRole('button', { name: 'Choose what is in view' })
      await inView.click()
      await page.getByText('12 images').first().waitFor()
      await canvas.focus()
      for (const key of ['+', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft']) await page.keyboard.press(key)
      await inView.click()
      await page.getByText('6 images').first().waitFor()
    })

    it('draws ten thousand points with at most 8 ms of script a frame', async () => {
      await openRun('large', '/embeddings')
      const canvas = page.locator('canvas.points')
      await canvas.waitFor()
      await canvas.focus()
      const times: number[] = []
      for (let i = 0; i < 30; i++) {
        await page.keyboard.press(i % 2 ? 'ArrowLeft' : 'ArrowRight')
        await page.waitForTimeout(30)
        times.push(Number(await canvas.getAttribute('data-milliseconds')))
      }
      const median = times.toSorted((a, b) => a - b)[15] as number
      expect(median).toBeGreaterThan(0)
      expect(median).toBeLessThan(8)
      await drag('left')
      await page.getByText('5,000 images').first().waitFor()
    })

    it('records decisions by keys, and takes one back', async () => {
      await openRun('found-', '/suspects')
      await page.getByText('Rank 1 of 6').waitFor()
      await page.keyboard.type('dk') // faster than the server answers
      await page.getByText('Rank 3 of 6').waitFor()
      await page.keyboard.press('ArrowRight')
      await page.keyboard.press('u')
      await page.getByText('1 to keep, 1 to drop, 1 unsure').waitFor()
      for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowLeft')
      await page.getByText('Decided: drop').waitFor()
      const file = join(runs, `found-${markup.replaceAll('/', '')}`, 'decisions.csv')
      const decisions = () =>
        readFileSync(file, 'utf8')
          .split('\n')
          .slice(1, -1)
          .map((line) => line.split(',').at(-1))
      expect(decisions()).toEqual(['drop', 'keep', 'unsure'])
      await page.getByRole('button', { name: 'Take back' }).click()
      await page.getByText('1 to keep, 0 to drop, 1 unsure').waitFor()
      expect(decisions()).toEqual(['keep', 'unsure'])
    })

    it('says so when its server has ended', async () => {
      const other = await startServer({ runs, port: 0, page: join(home, 'page') })
      const lonely = await browser.newPage()
      await lonely.goto(other.url)
      await lonely.getByRole('link', { name: 'large' }).waitFor()
      await other.close()
      await lonely.getByText('The server does not answer: is deconfound ui still running?').waitFor({ timeout: 15_000 })
      await lonely.close()
    })

    it.each(['light', 'dark'] as const)(
      'has names, landmarks, headings and contrast in every view, also on a phone: %s',
      async (colorScheme) => {
        await page.emulateMedia({ colorScheme })
        for (const width of [390, 900, 1400]) {
          await page.setViewportSize({ width, height: 900 })
          for (const view of ['list', 'run', '/embeddings', '/suspects', 'grid']) {
            if (view === 'list' || view === 'grid') await open(view === 'list' ? '#/' : '#/grid')
            else await openRun('found-', view === 'run' ? '' : view)
            await page.locator('table, figure, canvas, .desk').first().waitFor()
            expect([width, view, await complaints(page)]).toEqual([width, view, []])
          }
        }
      },
    )

    it('is refused to a page of another site, which sees nothing of it', async () => {
      const foreign = await browser.newPage()
      writeFileSync(join(home, 'evil.html'), '<!doctype html><title>evil</title>')
      await foreign.goto(`file://${join(home, 'evil.html')}`)
      const seen = await foreign.evaluate(async (url) => {
        const headers = { 'x-deconfound': 'decision' }
        const tries = [
          fetch(`${url}api/runs`),
          fetch(`${url}api/runs`, { mode: 'no-cors' }),
          fetch(`${url}api/runs/x/decisions`, { method: 'POST', headers }),
        ]
        return Promise.all(tries.map((each) => each.then((answer) => answer.text()).catch(() => 'refused')))
      }, server.url)
      for (const each of seen) expect(['refused', '']).toContain(each)
      await foreign.close()
    })
  },
)
