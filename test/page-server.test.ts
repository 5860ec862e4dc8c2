import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Config, resolveConfig } from '../src/experiment/settings/config.ts'
import { recordName } from '../src/experiment/store/records.ts'
import { claimRun } from '../src/experiment/store/run-folder.ts'
import { writePlan } from '../src/experiment/store/sweep-plan.ts'
import type { Embeddings, Grid, Metrics, RunDetails, RunList, Suspects } from '../src/web/answers.ts'
import { type PageServer, startServer } from '../src/web/server.ts'
import { command } from './command.ts'
import { addEpoch, writePhotos, writePortraits, writeRun } from './run-example.ts'

// What the server of the page answers, and to whom.

const home = mkdtempSync(join(tmpdir(), 'page-server-'))
const at = (...names: string[]) => join(home, ...names)
const markup = '<img src=x onerror=alert(1)>'
const suspects = [
  [markup, `${markup}/0.png`],
  [markup, `${markup}/1.png`],
  ['ship', 'ship/2.png'],
  ['ship', 'ship/gone.png'],
  ['=ship', '=ship/0.png'],
] as const
let server: PageServer

beforeAll(async () => {
  mkdirSync(at('page'))
  writeFileSync(at('page', 'index.html'), '<!doctype html><title>page</title>')
  writeFileSync(at('secret.txt'), 'secret')
  await writePhotos(at('photos'), [markup, 'ship'])
  const training = {
    kind: 'training',
    settings: { dataset: 'image-folder', data: at('photos'), attack: 'none', 'test-share': 0 },
  }
  const found = { suspicion: { verdict: 'found', flagged: 2, remarks: [markup] }, heldOutAgreement: 0.8 }
  const first = writeRun(at('runs'), `20260101-000000-${markup.replaceAll(' ', '_')}`, {
    ...training,
    result: found,
    suspects,
  })
  writePortraits(first, 8)
  addEpoch(first, 0)
  symlinkSync(at('secret.txt'), join(first, 'preview.png'))
  writeFileSync(join(first, 'report.html'), '<!doctype html><script>alert(1)</script>')
  for (const seed of [1, 2]) {
    const result = { cleanAccuracy: 1 - seed / 8, attackSuccessRate: 0.5 }
    writeRun(at('runs'), `20260101-00000${seed}-second`, { settings: { seed, defense: 'none' }, result })
  }
  writeRun(at('runs'), '20260101-000003-third', { settings: { seed: 1, epochs: 5 }, result: null })
  server = await startServer({ runs: at('runs'), port: 0, page: at('page') })
})
afterAll(async () => {
  await server.close()
  rmSync(home, { recursive: true })
})

const get = async <T>(path: string): Promise<T> => (await fetch(`${server.url}api/${path}`)).json() as Promise<T>
async function idOf(part: string): Promise<string> {
  const { runs } = await get<RunList>('runs')
  return runs.find(({ name }) => name.includes(part))?.id as string
}

/** A request as a program makes it that a browser would not let: any Host, any method, a path as it stands. */
function raw(path: string, { method = 'GET', headers = {} as Record<string, string>, body = '' } = {}) {
  const { hostname, port } = new URL(server.url)
  return new Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers }, (answer) => {
      let text = ''
      answer.on('data', (part) => (text += part))
      answer.on('end', () => resolve({ status: answer.statusCode as number, text, headers: answer.headers }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

const within = (path: string) => new URL(server.url).pathname + path
const decision = { 'x-deconfound': 'decision', 'content-type': 'application/json' }

describe('the server lets nobody in', () => {
  it('without the token, or with another one; and tells such a visitor nothing', async () => {
    for (const path of ['/', '/api/runs', '/x/api/runs', `/${'A'.repeat(32)}/api/runs`, '/index.html']) {
      const { status, text } = await raw(path)
      expect([path, status]).toEqual([path, 403])
      expect(text).toBe('The address is not complete: use the one that deconfound ui printed\n')
    }
  })

  it('by another name: a site whose name was turned to this machine is refused although it has the port', async () => {
    for (const host of ['evil.example', 'evil.example:80', `evil.example:${new URL(server.url).port}`, '127.0.0.1']) {
      expect((await raw(within('api/runs'), { headers: { host } })).status).toBe(403)
    }
    expect((await raw(within('api/runs'), { headers: { host: `localhost:${new URL(server.url).port}` } })).status).toBe(
      200,
    )
  })

  it('from a page of another site, even one of this machine', async () => {
    for (const origin of [
      'http://evil.example',
      'null',
      'http://127.0.0.1:1',
      new URL(server.url).origin.replace('http', 'https'),
    ]) {
      expect((await raw(within('api/runs'), { headers: { origin } })).status).toBe(403)
    }
    for (const site of ['cross-site', 'same-site']) {
      expect((await raw(within(''), { headers: { 'sec-fetch-site': site } })).status).toBe(403)
    }
  })

  it('and listens to this machine alone', () => {
    expect(new URL(server.url).hostname).toBe('127.0.0.1')
  })

  it('and gives each server a token of its own, of 192 bits', async () => {
    const other = await startServer({ runs: at('runs'), port: 0, page: at('page') })
    const tokens = [server, other].map(({ url }) => new URL(url).pathname.slice(1, -1))
    await other.close()
    expect(tokens[0]).not.toBe(tokens[1])
    for (const token of tokens) expect(Buffer.from(token, 'base64url').length).toBe(24)
  })
})

describe('the server gives no file away', () => {
  it('whatever stands where an id belongs', async () => {
    const id = await idOf('img')
    for (const odd of [
      '..',
      '../..',
      '..%2f..%2fsecret.txt',
      '%2e%2e',
      '%2e%2e%2fsecret.txt',
      '/etc/passwd',
      '%00',
      'constructor',
      '__proto__',
    ]) {
      for (const path of [
        odd,
        `api/runs/${odd}`,
        `api/runs/${odd}/metrics`,
        `api/runs/${id}/files/${odd}`,
        `api/runs/${id}/suspects/${odd}`,
        `api/runs/${id}/sample/${odd}`,
        `api/compare?ids=${odd},${id}`,
      ]) {
        const { status, text } = await raw(within(path))
        expect([path, status, text]).toEqual([
          path,
          expect.not.objectContaining({ status: 200 }),
          expect.not.stringMatching(/secret\n?$|root:/),
        ])
        expect([path, [200, 403, 404, 422].includes(status)]).toEqual([path, true])
      }
    }
  })

  it('through a link in a run', async () => {
    const id = await idOf('img')
    const { files } = await get<RunDetails>(`runs/${id}`)
    expect(files.map((file) => file.id)).toEqual(['report'])
    expect((await raw(within(`api/runs/${id}/files/preview`))).status).toBe(422)
  })
})

describe('nothing of a run is obeyed', () => {
  it('every answer forbids what the page does not bring along', async () => {
    for (const path of ['', 'api/runs', 'api/nothing', 'nothing']) {
      const { headers } = await raw(within(path))
      const policy = String(headers['content-security-policy'])
      for (const rule of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"])
        expect(policy).toContain(rule)
      expect(policy).not.toMatch(/unsafe|\*|data:|blob:|https?:/)
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' })
    }
  })

  it('a report from elsewhere is shown in a sandbox without scripts', async () => {
    const { headers } = await raw(within(`api/runs/${await idOf('img')}/files/report`))
    expect(headers['content-security-policy']).toMatch(/^sandbox; default-src 'none';/)
    expect(headers['content-security-policy']).not.toContain('script-src')
  })

  it('names with markup come as JSON, never as a page', async () => {
    const { headers, text } = await raw(within('api/runs'))
    expect(headers['content-type']).toContain('application/json')
    expect(text).toContain('onerror')
  })
})

describe('nothing is written but decisions', () => {
  const post = (path: string, body: unknown, headers: Record<string, string> = decision) =>
    raw(within(path), { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) })
  const everything = () => readdirSync(home, { recursive: true, encoding: 'utf8' }).sort()

  it('by no other method, and by none that a form or a link of another site could use', async () => {
    const before = everything()
    const path = `api/runs/${await idOf('img')}/decisions`
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS'])
      expect((await raw(within(path), { method, headers: decision })).status).toBe(403)
    for (const headers of [
      {},
      { 'content-type': 'application/x-www-form-urlencoded' },
      { ...decision, origin: 'http://evil.example' },
    ])
      expect((await post(path, { rank: 1, decision: 'drop' }, headers)).status).toBe(403)
    expect((await post('api/runs', { rank: 1, decision: 'drop' })).status).toBe(404)
    expect(everything()).toEqual(before)
  })

  it('and of them none that is no decision on an image of the list', async () => {
    const before = everything()
    const path = `api/runs/${await idOf('img')}/decisions`
    for (const body of [
      '',
      'x',
      [],
      { rank: 1 },
      { rank: 0, decision: 'drop' },
      { rank: 99, decision: 'drop' },
      { rank: 1, decision: 'delete' },
      { rank: 1, decision: 'drop', file: '/etc/passwd' },
      'x'.repeat(5000),
    ])
      expect((await post(path, body)).status).toBe(422)
    expect(everything()).toEqual(before)
  })

  it('which are kept in decisions.csv, one for each image, and can be taken back', async () => {
    const id = await idOf('img')
    const path = `api/runs/${id}/decisions`
    await post(path, { rank: 1, decision: 'drop' })
    await post(path, { rank: 5, decision: 'keep' })
    const { text } = await post(path, { rank: 1, decision: 'unsure' })
    expect(JSON.parse(text).decided).toEqual({ keep: 1, drop: 0, unsure: 1 })
    const file = at('runs', readdirSync(at('runs')).find((name) => name.includes('img')) as string, 'decisions.csv')
    expect(readFileSync(file, 'utf8')).toBe(
      `file,label,decision\n"${markup}/0.png","${markup}",unsure\n"'=ship/0.png","'=ship",keep\n`,
    )
    const { decided, suspects } = await get<Suspects>(`runs/${id}/suspects`)
    expect(decided).toEqual({ keep: 1, drop: 0, unsure: 1 })
    expect(suspects.map((each) => each.decision)).toEqual(['unsure', null, null, null, 'keep'])
    for (const rank of [1, 5]) await post(path, { rank, decision: null })
    expect(readFileSync(file, 'utf8')).toBe('file,label,decision\n')
    expect(existsSync(at('secret.txt'))).toBe(true)
  })
})

describe('the page is told', () => {
  it('the runs, the newest first, and only once while nothing changes', async () => {
    const answer = await fetch(`${server.url}api/runs`)
    const { total, runs } = (await answer.json()) as RunList
    expect(total).toBe(4)
    expect(runs.map(({ when }) => when)).toEqual(runs.map(({ when }) => when).toSorted((a, b) => b - a))
    expect(runs.find(({ name }) => name.includes('img'))).toMatchObject({
      verdict: 'found',
      flagged: 2,
      agreement: 0.8,
      attack: '–',
    })
    expect(runs.find(({ name }) => name.includes('third'))).toMatchObject({ state: 'broken off', verdict: null })
    const headers = { 'if-none-match': answer.headers.get('etag') as string }
    expect((await fetch(`${server.url}api/runs`, { headers })).status).toBe(304)
  })

  it('a run: the verdict in a sentence, figures, configuration', async () => {
    const run = await get<RunDetails>(`runs/${await idOf('img')}`)
    expect(run).toMatchObject({
      said: 'Poison found: 2 images look poisoned',
      remarks: [markup],
      hasSuspects: true,
      hasEmbeddings: true,
    })
    expect(run.settings).toMatchObject({ dataset: 'image-folder', epochs: '3' })
    expect(await get(`runs/${await idOf('000001')}`)).toMatchObject({
      figures: { 'Clean accuracy (CA)': '87.50 %', 'Attack success rate (ASR)': '50.00 %' },
    })
  })

  it('metrics from where it was, whole lines alone, and anew where the file became another', async () => {
    const run = writeRun(at('runs'), '20260101-000009-live', { result: null })
    const id = await idOf('live')
    addEpoch(run, 0)
    const first = await get<Metrics>(`runs/${id}/metrics`)
    expect(first.lines).toEqual([{ stage: 'model', epoch: 0, loss: 1, accuracy: 0.5 }])
    addEpoch(run, 1)
    writeFileSync(join(run, 'metrics.jsonl'), '{"stage":"mod', { flag: 'a' })
    const second = await get<Metrics>(`runs/${id}/metrics?from=${first.next}`)
    expect(second).toMatchObject({ anew: false, lines: [{ epoch: 1 }] })
    writeFileSync(join(run, 'metrics.jsonl'), '')
    expect(await get(`runs/${id}/metrics?from=${second.next}`)).toMatchObject({ anew: true, lines: [], next: 0 })
    rmSync(run, { recursive: true })
  })

  it('what two runs differ in', async () => {
    const ids = [await idOf('000001'), await idOf('third')]
    const { different } = await get<{ different: object }>(`compare?ids=${ids}`)
    expect(different).toMatchObject({ defense: ['none', 'cbd'], epochs: ['3', '5'] })
    expect(different).not.toHaveProperty('attack')
    expect(await get(`compare?ids=${ids[0]}`)).toEqual({ error: expect.stringContaining('fewer than two runs') })
  })

  it('a grid of attacks by defenses: means over seeds, and what is not there', async () => {
    const { defenses, rows } = await get<Grid>('grid')
    expect(defenses).toEqual(['cbd paper', 'none'])
    expect(rows).toMatchObject([
      { experiment: 'badnets', cells: [null, { recorded: 2, cleanAccuracy: 0.8125, attackSuccessRate: 0.5 }] },
      { experiment: 'badnets, epochs 5', cells: [{ recorded: 0, cleanAccuracy: null, brokenOff: 1 }, null] },
    ])
  })

  it('of a sweep also what it has not begun, has at work and has broken off', async () => {
    const [folder, records] = [at('sweep-runs'), at('sweep-records')]
    const settings = { attack: 'badnets', defense: 'none', epochs: 3 }
    const cells = [1, 2, 3, 4].map((seed) => resolveConfig({ ...settings, seed }))
    const nameOf = (k: number) => recordName(cells[k] as Config, { precision: 'fp32', data: '0123abcd' })
    writePlan(folder, { record: records, cells: [...cells, resolveConfig({ ...settings, defense: 'cbd' })] })
    const sweep = await startServer({ runs: folder, records, port: 0, page: at('page') })
    const grid = async () => (await (await fetch(`${sweep.url}api/grid`)).json()) as Grid
    expect((await grid()).rows).toMatchObject([
      { experiment: 'badnets', cells: [{ waiting: 1 }, { waiting: 4, recorded: 0 }] },
    ])

    mkdirSync(records)
    const record = { config: { ...settings, seed: 1 }, result: { cleanAccuracy: 0.5, attackSuccessRate: 1 } }
    writeFileSync(join(records, `${nameOf(0)}.json`), JSON.stringify(record))
    for (const k of [0, 1])
      writeRun(folder, nameOf(k), { settings: { ...settings, seed: k + 1 }, result: k > 0 ? null : {} })
    const working = claimRun(join(folder, nameOf(2)), cells[2] as Config)
    expect((await grid()).rows.map(({ cells }) => cells[1])).toMatchObject([
      { recorded: 1, cleanAccuracy: 0.5, brokenOff: 1, working: ['begun'], waiting: 1 },
    ])
    working.close()
    await sweep.close()
  })

  it('embeddings, by principal components where nothing was drawn', async () => {
    const { panels, labels, poisoned } = await get<Embeddings>(`runs/${await idOf('img')}/embeddings`)
    expect(panels).toMatchObject([{ title: 'model/end', method: 'principal components' }])
    expect([labels, poisoned]).toEqual([[0, 0, 0, 0, 1, 1, 1, 1], null])
    const x = labels.map((_, i) => panels[0]?.places[2 * i] as number)
    expect(x.slice(0, 4).every((each) => Math.sign(each) === -Math.sign(x[7] as number))).toBe(true)
    for (const place of panels[0]?.places ?? []) expect(Math.abs(place)).toBeLessThanOrEqual(1)
  })

  it('pictures of the images, as long as these are there', async () => {
    const id = await idOf('img')
    const colorOf = async (path: string) => {
      const answer = await fetch(`${server.url}api/runs/${id}/${path}`)
      expect(answer.headers.get('content-type')).toBe('image/png')
      return (await sharp(Buffer.from(await answer.arrayBuffer())).stats()).channels.map(({ mean }) => Math.round(mean))
    }
    expect(await colorOf('suspects/1')).toEqual([0x20, 0x40, 0xc0])
    expect(await colorOf('suspects/3')).toEqual([0xc0, 0x40, 0x20])
    expect(await colorOf('sample/0')).toEqual([0x20, 0x40, 0xc0])
    const gone = await fetch(`${server.url}api/runs/${id}/suspects/4`)
    expect([gone.status, await gone.json()]).toEqual([
      422,
      { error: 'This picture is not among the data of the run (any more)' },
    ])
    expect(await get(`runs/${id}/sample?points=0,7`)).toEqual([
      { name: `${markup}/0.png`, label: markup },
      { name: 'ship/3.png', label: 'ship' },
    ])
  })

  it('that a run has no suspects or embeddings, in a sentence', async () => {
    const id = await idOf('third')
    expect(await get(`runs/${id}/suspects`)).toEqual({ error: expect.stringContaining('no list of suspects') })
    expect(await get(`runs/${id}/embeddings`)).toEqual({ error: expect.stringContaining('kept no embeddings') })
    expect(await get('runs/nothing')).toEqual({ error: 'There is no such run here (any more)' })
  })
})

it('a thousand runs: the first view within a second, all of them when asked again', async () => {
  const [folder] = [at('thousand')]
  const model = writeRun(folder, 'run-0')
  const files = ['kind', 'config.yaml', 'result.json'].map((name) => [name, readFileSync(join(model, name))] as const)
  for (let i = 1; i < 1000; i++) {
    mkdirSync(join(folder, `run-${i}`))
    for (const [name, bytes] of files) writeFileSync(join(folder, `run-${i}`, name), bytes)
  }
  const many = await startServer({ runs: folder, port: 0, page: at('page') })
  const seconds = async (path: string) => {
    const began = process.cpuUsage() // of this process, which serves too: others may be at work on this machine
    const list = (await (await fetch(`${many.url}api/${path}`)).json()) as RunList
    expect(list.total).toBe(1000)
    const { user, system } = process.cpuUsage(began)
    return (user + system) / 1e6
  }
  expect(await seconds('runs?from=0&count=100')).toBeLessThan(1)
  for (let from = 100; from < 1000; from += 100) await seconds(`runs?from=${from}&count=100`)
  for (let from = 0; from < 1000; from += 200) expect(await seconds(`runs?from=${from}&count=200`)).toBeLessThan(1)
  await many.close()
})

describe('deconfound ui', () => {
  it('prints the address, serves the built page, and ends by Ctrl-C with code 0', async () => {
    const bin = fileURLToPath(new URL('../bin/deconfound.js', import.meta.url))
    const ui = spawn(process.execPath, [bin, 'ui', '--runs', at('runs'), '--json'])
    const ended = new Promise((resolve) => ui.on('exit', resolve))
    const printed = await new Promise<string>((resolve) => ui.stdout.once('data', (data) => resolve(String(data))))
    const { url } = JSON.parse(printed)
    const page = await (await fetch(url)).text()
    const [, script] = /src="\.\/(assets\/[^"]+\.js)"/.exec(page) ?? []
    expect((await fetch(url + script)).headers.get('content-type')).toContain('text/javascript')
    expect(page).not.toMatch(/<script(?![^>]* src=)|style=|https?:/)
    ui.kill('SIGINT')
    expect(await ended).toBe(0)
  })

  it('says in a sentence that a port is in use', async () => {
    const { port } = new URL(server.url)
    await expect(startServer({ runs: at('runs'), port: Number(port), page: at('page') })).rejects.toMatchObject({
      code: 2,
      message: `Cannot show the page at port ${port}: another program listens there; give another --port, or none`,
    })
  })

  it('says what is wrong with its words', async () => {
    expect(await command('ui', '--runs', at('nowhere'))).toMatchObject({
      code: 2,
      error: expect.stringContaining('there is no such folder; choose another by --runs'),
    })
    expect(await command('ui', '--runs', at('runs'), '--records', at('nowhere'))).toMatchObject({
      code: 2,
      error: expect.stringContaining('by --records'),
    })
    for (const port of ['x', '-1', '70000', '1.5'])
      expect(await command('ui', '--runs', at('runs'), `--port=${port}`)).toMatchObject({
        code: 2,
        error: expect.stringContaining(`at port '${port}'`),
      })
  })

  it('says how the page is built where it is not', async () => {
    await expect(startServer({ runs: at('runs'), port: 0, page: at('runs') })).rejects.toThrow(
      /not built; give 'npm run build'/,
    )
  })
})
