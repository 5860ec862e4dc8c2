import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exitCode } from '../errors.ts'
import { type Member, tar, zip } from './archives-example.ts'
import { fetchPublished } from './fetch.ts'
import type { Archive, Release } from './release.ts'

// Against a server on this machine that breaks off, lies and changes its mind, and against archives that mean harm.

let home = ''
let server: Server
/** what the server does, and what it was asked for */
let answer: (request: IncomingMessage, response: ServerResponse) => void
let asked: { url: string; range: string | undefined; ifRange: string | undefined }[] = []

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'fetch-'))
  asked = []
  server = createServer((request, response) => {
    const { range, 'if-range': ifRange } = request.headers
    asked.push({ url: request.url ?? '', range, ifRange: ifRange as string | undefined })
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  rmSync(home, { recursive: true })
})

const host = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const noise = Buffer.alloc(200_000)
for (let i = 0, state = 1; i < noise.length; i++) {
  // Numerical Recipes' generator: nothing that could be compressed
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  noise[i] = state >>> 24
}
const members: readonly Member[] = [
  { name: 'set/', type: '5' },
  { name: 'set/one.bin', content: noise },
  { name: 'set/deep/two.txt', content: Buffer.from('two') },
]
const whole = tar(members)

function releaseOf(content: Buffer, more: Partial<Archive & Release> = {}): Release {
  const { form = 'tar.gz', into, ...rest } = more
  const md5 = createHash('md5').update(content).digest('hex')
  const sha256 = createHash('sha256').update(content).digest('hex')
  const archive = { url: `${host()}/set.archive`, bytes: content.length, md5, sha256, form, ...(into && { into }) }
  return {
    archives: [archive],
    folder: 'set',
    mostBytes: 1_000_000,
    mostFiles: 10,
    files: { 'one.bin': createHash('md5').update(noise).digest('hex'), 'deep/two.txt': null },
    ...rest,
  }
}

const get = (release = releaseOf(whole), more: { mirror?: string; silence?: number } = {}) =>
  fetchPublished(release, { to: home, say() {}, progress() {}, pauses: [1, 1], ...more })

/** Answers as a server should: with ranges, and If-Range. */
function send(content: Buffer, { tag = '"a"', most = Infinity } = {}) {
  return ({ headers }: IncomingMessage, response: ServerResponse) => {
    const [, start] = /^bytes=(\d+)-$/.exec(headers.range ?? '') ?? []
    const isSame = headers['if-range'] === undefined || headers['if-range'] === tag
    const from = start !== undefined && isSame ? Number(start) : 0
    const head = { etag: tag, 'content-length': content.length - from }
    const range = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }
    response.writeHead(from > 0 ? 206 : 200, from > 0 ? { ...head, ...range } : head)
    const sent = content.subarray(from, from + most)
    if (sent.length === content.length - from) response.end(sent)
    // what has come is not lost: a reset would take what the other side has not read yet
    else response.write(sent, () => setTimeout(() => response.socket?.end(), 100))
  }
}

/** These answers one after the other; the last again and again. */
function inTurn(...answers: (typeof answer)[]): typeof answer {
  let turn = 0
  return (request, response) => (answers[Math.min(turn++, answers.length - 1)] as typeof answer)(request, response)
}

const status = (code: number, headers: Record<string, string> = {}) => {
  return (_: IncomingMessage, response: ServerResponse) => response.writeHead(code, headers).end('no')
}

function expectWhole(): void {
  expect(readFileSync(join(home, 'set/one.bin')).equals(noise)).toBe(true)
  expect(readFileSync(join(home, 'set/deep/two.txt'), 'utf8')).toBe('two')
  expect(readdirSync(home)).toEqual(['set'])
}

/** The refusal, after which nothing lies under the final name, and nothing unpacked anywhere. */
async function refused(fetching: Promise<unknown>): Promise<{ code: number; message: string }> {
  const error = await fetching.then(
    () => expect.unreachable('it should be refused'),
    (error: unknown) => error as { name: string; code: number; message: string },
  )
  expect(error.name, error.message).toBe('UserError')
  expect(existsSync(join(home, 'set'))).toBe(false)
  expect(existsSync(join(home, 'set.part/unpacked'))).toBe(false)
  return error
}

describe('fetching', () => {
  it('brings the files, and nothing else', async () => {
    answer = send(whole)
    expect(await get()).toEqual({ folder: join(home, 'set'), wasThere: false })
    expectWhole()
  })

  it('asks nobody again for what is there', async () => {
    answer = send(whole)
    await get()
    expect(await get()).toMatchObject({ wasThere: true })
    expect(asked.length).toBe(1)
  })

  it('takes archives that a person has put there, and leaves them', async () => {
    writeFileSync(join(home, 'set.archive'), whole)
    await get()
    expect(asked).toEqual([])
    expect(readdirSync(home).sort()).toEqual(['set', 'set.archive'])
  })

  it('takes archives from a folder, or from another address', async () => {
    const other = join(home, 'other')
    mkdirSync(other)
    writeFileSync(join(other, 'set.archive'), whole)
    await get(releaseOf(whole), { mirror: other })
    expect(asked).toEqual([])
    rmSync(join(home, 'set'), { recursive: true })
    answer = send(whole)
    await get(releaseOf(whole), { mirror: `${host()}/some/where/` })
    expect(asked.map(({ url }) => url)).toEqual(['/some/where/set.archive'])
  })

  it('takes an archive that lies in a folder of the data set', async () => {
    const both = releaseOf(whole)
    const list = tar([{ name: 'list.csv', content: Buffer.from('a;b') }])
    const second = { ...releaseOf(list).archives[0], url: `${host()}/list.archive`, into: 'set/deep' } as Archive
    answer = (request, response) => send(request.url === '/list.archive' ? list : whole)(request, response)
    await get({ ...both, archives: [...both.archives, second], files: { ...both.files, 'deep/list.csv': null } })
    expect(readFileSync(join(home, 'set/deep/list.csv'), 'utf8')).toBe('a;b')
  })

  it('refuses a folder that is there and is not whole, and leaves it', async () => {
    mkdirSync(join(home, 'set'))
    writeFileSync(join(home, 'set/one.bin'), 'mine')
    await expect(get()).rejects.toThrow('"one.bin" in it is not as published. Move it away')
    expect(readFileSync(join(home, 'set/one.bin'), 'utf8')).toBe('mine')
  })
})

describe('a connection that breaks off', () => {
  it('is taken up where it broke, with the validator', async () => {
    answer = inTurn(send(whole, { most: 50_000 }), send(whole, { most: 50_000 }), send(whole))
    await get()
    expectWhole()
    expect(asked.map(({ range }) => range)).toEqual([undefined, 'bytes=50000-', 'bytes=100000-'])
    expect(asked[1]?.ifRange).toBe('"a"')
  })

  it('is taken up by the next command', async () => {
    answer = send(whole, { most: 10_000 })
    const { message } = await refused(get())
    expect(message).toMatch(/the connection broke off.*, in 3 tries\. Give the command again to go on/)
    expect(readdirSync(home)).toEqual(['set.part'])
    asked = []
    answer = send(whole)
    await get()
    expectWhole()
    expect(asked.map(({ range }) => range)).toEqual(['bytes=30000-'])
  })

  it('is begun anew where the file has changed meanwhile', async () => {
    const older = Buffer.from(whole).fill(7)
    answer = inTurn(send(older, { tag: '"old"', most: 50_000 }), send(whole, { tag: '"new"' }))
    await get()
    expectWhole()
    expect(asked[1]).toMatchObject({ range: 'bytes=50000-', ifRange: '"old"' })
  })

  it('is begun anew where the file has changed and the server does not say so', async () => {
    const older = Buffer.from(whole).fill(7)
    const silently = send(older, { most: 50_000 })
    answer = inTurn(silently, send(whole), send(whole))
    await get()
    expectWhole()
    expect(asked.map(({ range }) => range)).toEqual([undefined, 'bytes=50000-', undefined])
  })

  it('is begun anew by a server that knows no ranges, or sends another one', async () => {
    const ignoring = (_: IncomingMessage, response: ServerResponse) => response.end(whole)
    answer = inTurn(send(whole, { most: 50_000 }), ignoring)
    await get()
    expectWhole()
    rmSync(join(home, 'set'), { recursive: true })
    const wrong = (_: IncomingMessage, response: ServerResponse) =>
      response.writeHead(206, { 'content-range': `bytes 7-9/${whole.length}` }).end('abc')
    answer = inTurn(send(whole, { most: 50_000 }), wrong, send(whole))
    await get()
    expectWhole()
  })

  it('is begun anew where the rest cannot be had (416)', async () => {
    answer = inTurn(send(whole, { most: 50_000 }), status(416), send(whole))
    await get()
    expectWhole()
  })

  it('is given up where nothing comes', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': whole.length }).write('abc')
    }
    const { message } = await refused(get(releaseOf(whole), { silence: 50 }))
    expect(message).toContain('nothing came for too long, in 3 tries')
  })
})

describe('a server that lies', () => {
  it.each<[string, () => typeof answer, number, string]>([
    [
      'of the length',
      () => send(whole.subarray(0, 100)),
      exitCode.verification,
      'has 100 bytes, and the published one',
    ],
    [
      'by other content of the same length',
      () => send(Buffer.from(whole).fill(1)),
      exitCode.verification,
      'its SHA-256 is',
    ],
    ['by a page in place of the file', () => page, exitCode.data, 'broke off after'],
    ['by content without end', () => endless, exitCode.verification, `sends more than the ${whole.length} bytes`],
    ['by packing it', () => status(200, { 'content-encoding': 'gzip' }), exitCode.data, 'packs it by gzip'],
  ])('is refused: %s', async (_, behave, code, reason) => {
    answer = behave()
    expect(await refused(get())).toMatchObject({ code, message: expect.stringContaining(reason) })
  })

  const page: typeof answer = (_, response) => {
    response.write('<html>')
    response.end()
  }

  const endless: typeof answer = (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write(noise));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }
})

describe('a server that says no', () => {
  it('is not asked again after 404, and the remedy names address and folder', async () => {
    answer = status(404)
    const { code, message } = await refused(get())
    expect(code).toBe(exitCode.data)
    expect(message).toContain(`Cannot download ${host()}/set.archive: the server answers 404 Not Found`)
    expect(message).toContain(`put the files of ${host()}/set.archive into "${home}"`)
    expect(asked.length).toBe(1)
  })

  it('is asked again after 500', async () => {
    answer = inTurn(status(500), status(503), send(whole))
    await get()
    expectWhole()
    answer = status(500)
    rmSync(join(home, 'set'), { recursive: true })
    expect((await refused(get())).message).toContain('answers 500 Internal Server Error, in 3 tries')
  })

  it('may not be there', async () => {
    const release = releaseOf(whole)
    await new Promise((resolve) => server.close(resolve))
    expect((await refused(get(release))).message).toContain('its server refuses the connection')
  })
})

describe('redirection', () => {
  const to = (location: string) => status(302, { location })

  it('is followed within the scheme', async () => {
    answer = (request, response) =>
      request.url === '/set.archive' ? to('/moved')(request, response) : send(whole)(request, response)
    await get()
    expectWhole()
  })

  it.each([
    ['to another scheme', 'https://127.0.0.1/x', 'from http:// to https://'],
    ['to a file', 'file:///etc/passwd', 'from http:// to file://'],
    ['to what is no address', 'http://[', 'redirected to nowhere'],
    ['in a circle', '/set.archive', 'more than 5 times'],
  ])('is refused %s', async (_, location, reason) => {
    answer = to(location)
    expect((await refused(get())).message).toContain(reason)
  })
})

describe('an archive that means harm', () => {
  const file = (name: string, more: Partial<Member> = {}): Member => ({ name, content: Buffer.from('x'), ...more })

  describe.each([
    ['tar.gz', tar],
    ['zip', zip],
  ] as const)('%s', (form, pack) => {
    const fetchArchive = (harm: readonly Member[], more: Partial<Release> = {}) => {
      const content = pack([...members, ...harm])
      answer = send(content)
      return get(releaseOf(content, { form, ...more }))
    }

    it('is unpacked where it means none', async () => {
      await fetchArchive([])
      expectWhole()
    })

    it.each<[string, Member[], RegExp]>([
      ['a path that leads out', [file('set/../../out.txt')], /leads out|invalid relative path/],
      ['an absolute path', [file('/set/out.txt')], /absolute path/],
      ['a file beside its folder', [file('beside.txt')], /which is not in "set"/],
      ['a name with a backslash', [file('set\\..\\out.txt')], /another|leads out|invalid relative path|not in "set"/],
      ['a symbolic link', [file('set/link', { type: '2', link: '/etc' })], /a link or a device/],
      ['a device', [file('set/null', { type: '3' })], /a link or a device/],
      ['a name twice', [file('set/one.bin')], /twice/],
      ['too many files', Array.from({ length: 20 }, (_, i) => file(`set/${i}.txt`)), /more than 10 files/],
    ])('is refused with %s', async (_, harm, reason) => {
      const { code, message } = await refused(fetchArchive(harm))
      expect(code).toBe(exitCode.data)
      expect(message).toMatch(reason)
      expect(readdirSync(home)).toEqual(['set.part'])
    })

    it('is refused where it unpacks to more than the data set has', async () => {
      const bomb = file('set/bomb', { content: Buffer.alloc(3_000_000) })
      expect((await refused(fetchArchive([bomb]))).message).toContain('more than 1000000 bytes')
    })

    it('is refused where it is cut short, or no archive', async () => {
      const content = pack(members)
      for (const broken of [content.subarray(0, content.length >> 1), Buffer.from('no archive at all, but a letter')]) {
        answer = send(broken)
        expect((await refused(get(releaseOf(broken, { form })))).message).toMatch(/^Cannot unpack /)
        rmSync(join(home, 'set.part'), { recursive: true })
      }
    })

    it('is refused where a file is missing, or another one than published', async () => {
      const other = pack([members[0] as Member, file('set/one.bin')])
      answer = send(other)
      const { code, message } = await refused(get(releaseOf(other, { form })))
      expect([code, message]).toEqual([
        exitCode.verification,
        expect.stringContaining('"one.bin" in it is not as published'),
      ])
    })
  })

  it('may not write through a link that it made: a hard link is refused', async () => {
    const content = tar([...members, file('set/hard', { type: '1', link: 'set/one.bin' })])
    answer = send(content)
    expect((await refused(get(releaseOf(content)))).message).toContain('a link or a device')
  })

  it('may lie of a size in a zip, and is refused', async () => {
    const content = zip([...members, file('set/lie', { content: Buffer.alloc(5000), statedSize: 10 })])
    answer = send(content)
    await refused(get(releaseOf(content, { form: 'zip' })))
  })

  it('takes long names of GNU tar and pax', async () => {
    const long = `set/${'n'.repeat(120)}/file.txt`
    const content = tar([...members, file(long, { long: 'gnu' }), file(`${long}2`, { long: 'pax' })])
    answer = send(content)
    await get(releaseOf(content))
    expect(readFileSync(join(home, long), 'utf8')).toBe('x')
    expect(readFileSync(join(home, `${long}2`), 'utf8')).toBe('x')
  })
})

it('is cleared of what a killed command left half unpacked', async () => {
  mkdirSync(join(home, 'set.part/unpacked/set'), { recursive: true })
  writeFileSync(join(home, 'set.part/unpacked/set/one.bin'), 'half')
  answer = send(whole)
  await get()
  expectWhole()
})
