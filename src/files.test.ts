import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os, { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { UserError } from './errors.ts'
import { cacheFolder, lockFolder, makeFolder, readJsonLines, writeAtomically } from './files.ts'

const folder = fs.mkdtempSync(join(tmpdir(), 'files-'))
let count = 0
const freshFolder = () => {
  const path = join(folder, String(count++))
  fs.mkdirSync(path)
  return path
}
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})
afterAll(() => fs.rmSync(folder, { recursive: true }))

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: made up`), { code })
}

describe('a folder that is made', () => {
  it('gets those above it that are missing, and may be there already', () => {
    const home = fs.mkdtempSync(join(tmpdir(), 'made-'))
    for (let time = 0; time < 2; time++) makeFolder(join(home, 'a', 'b', 'c'))
    expect(fs.existsSync(join(home, 'a', 'b', 'c'))).toBe(true)
    fs.rmSync(home, { recursive: true })
  })

  it.skipIf(process.platform !== 'linux')('is refused at once where there can be none', () => {
    expect(() => makeFolder('/proc/nowhere/at/all')).toThrow('ENOENT')
  })
})

describe('writeAtomically', () => {
  it('writes text, bytes and chunks, and leaves nothing else behind', () => {
    const inside = freshFolder()
    const path = join(inside, 'file')
    writeAtomically(path, 'größer\n')
    expect(fs.readFileSync(path, 'utf8')).toBe('größer\n')
    writeAtomically(path, Uint8Array.of(1, 2, 3))
    expect([...fs.readFileSync(path)]).toEqual([1, 2, 3])
    writeAtomically(path, [Uint8Array.of(4), new Uint8Array(0), Uint8Array.of(5, 6)])
    expect([...fs.readFileSync(path)]).toEqual([4, 5, 6])
    expect(fs.readdirSync(inside)).toEqual(['file'])
  })

  it('finishes what the system writes in pieces', () => {
    const path = join(freshFolder(), 'file')
    const write = fs.writeSync.bind(fs) as (...all: unknown[]) => number
    const spy = vi.spyOn(fs, 'writeSync') as unknown as { mockImplementation(to: typeof write): void }
    spy.mockImplementation((file, bytes, offset, length) => write(file, bytes, offset, Math.min(Number(length), 3)))
    writeAtomically(
      path,
      ['abcdefgh', 'ijk'].map((text) => Buffer.from(text)),
    )
    expect(fs.readFileSync(path, 'utf8')).toBe('abcdefghijk')
  })

  it.each(['openSync', 'writeSync', 'fsyncSync', 'closeSync', 'renameSync'] as const)(
    'keeps the old content and removes the temporary file when %s fails',
    (name) => {
      const inside = freshFolder()
      const path = join(inside, 'file')
      writeAtomically(path, 'old')
      for (const code of ['EIO', 'ENOSPC', 'EDQUOT']) {
        vi.spyOn(fs, name).mockImplementationOnce(() => {
          throw failure(code)
        })
        const error = expect(() => writeAtomically(path, 'new'))
        if (code === 'EIO') error.toThrow(expect.objectContaining({ code: 'EIO' }))
        else error.toThrow(expect.objectContaining({ name: 'UserError', code: 5 }))
        expect(fs.readFileSync(path, 'utf8')).toBe('old')
        expect(fs.readdirSync(inside)).toEqual(['file'])
      }
    },
  )

  it('names the file and the remedy when the disk is full', () => {
    const path = join(freshFolder(), 'file')
    vi.spyOn(fs, 'writeSync').mockImplementationOnce(() => {
      throw failure('ENOSPC')
    })
    expect(() => writeAtomically(path, 'new')).toThrow(
      `Cannot write ${path}: the disk is full; make room there or choose another folder`,
    )
  })

  it('syncs the file before the rename and the folder after it', () => {
    const order: string[] = []
    for (const name of ['fsyncSync', 'renameSync'] as const) {
      const real = fs[name].bind(fs) as (...all: unknown[]) => void
      const spy = vi.spyOn(fs, name) as unknown as { mockImplementation(to: typeof real): void }
      spy.mockImplementation((...all) => {
        order.push(name)
        real(...all)
      })
    }
    writeAtomically(join(freshFolder(), 'file'), 'text')
    expect(order).toEqual(['fsyncSync', 'renameSync', 'fsyncSync'])
  })
})

describe('readJsonLines', () => {
  const path = join(folder, 'metrics.jsonl')

  it('loses at most one line, wherever the file is cut', () => {
    const rows = Array.from({ length: 12 }, (_, epoch) => ({ epoch, loss: 1 / (epoch + 1), note: 'größe "\n{}' }))
    const whole = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    for (let length = whole.length; length >= 0; length--) {
      fs.writeFileSync(path, whole.subarray(0, length))
      const finished = whole.subarray(0, length).filter((byte) => byte === 10).length
      const read = readJsonLines(path)
      expect(read).toEqual(rows.slice(0, read.length))
      expect(read.length).toBeGreaterThanOrEqual(finished)
    }
  })

  it('tells the line that is broken before the last', () => {
    fs.writeFileSync(path, '{"a":1}\n\n{"a":\n{"a":3}\n')
    expect(() => readJsonLines(path)).toThrow(new UserError('data', `Cannot read ${path}: line 3 is not JSON`))
  })

  it('takes a last line of zeros, as a power failure leaves it, for a torn one', () => {
    fs.writeFileSync(path, `{"a":1}\n${'\0'.repeat(40)}`)
    expect(readJsonLines(path)).toEqual([{ a: 1 }])
  })
})

describe('cacheFolder', () => {
  it('lies under XDG_CACHE_HOME, or under ~/.cache where that is missing or relative', () => {
    vi.stubEnv('XDG_CACHE_HOME', join(folder, 'xdg'))
    expect(cacheFolder('datasets/raw')).toBe(join(folder, 'xdg/deconfound/datasets/raw'))
    expect(fs.statSync(join(folder, 'xdg/deconfound/datasets/raw')).isDirectory()).toBe(true)
    vi.stubEnv('HOME', join(folder, 'home'))
    for (const relative of ['', 'somewhere']) {
      vi.stubEnv('XDG_CACHE_HOME', relative)
      expect(cacheFolder('addon')).toBe(join(folder, 'home/.cache/deconfound/addon'))
    }
  })
})

describe('lockFolder', () => {
  const stale = (more: object = {}) => ({
    pid: deadPid(),
    host: hostname(),
    start: '1',
    since: '2026-01-01T00:00:00.000Z',
    token: 'dead',
    ...more,
  })

  it('refuses a second writer until the first releases', () => {
    const inside = freshFolder()
    const lock = lockFolder(inside)
    expect(() => lockFolder(inside)).toThrow(expect.objectContaining({ name: 'UserError', code: 6 }))
    expect(() => lockFolder(inside)).toThrow(`Cannot lock ${inside}: process ${process.pid} writes there since `)
    lock.release()
    expect(fs.readdirSync(inside)).toEqual([])
    const next = lockFolder(inside)
    lock.release()
    expect(fs.readdirSync(inside)).toEqual(['lock'])
    next.release()
  })

  it('takes over from a process that is gone, and from one whose id another process has now', () => {
    for (const owner of [stale(), stale({ pid: process.pid })]) {
      const inside = freshFolder()
      fs.writeFileSync(join(inside, 'lock'), JSON.stringify(owner))
      const lock = lockFolder(inside)
      expect(fs.readdirSync(inside)).toEqual(['lock'])
      expect(() => lockFolder(inside)).toThrow('Cannot lock')
      lock.release()
      expect(fs.readdirSync(inside)).toEqual([])
    }
  })

  const place = {
    boot: fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    space: fs.readlinkSync('/proc/self/ns/pid'),
  }
  const elsewhere = { ...place, space: 'pid:[1]' }

  it.each<[string, object]>([
    ['a dead process id', {}],
    ['an id that another process has here', { pid: process.pid }],
    ['the id and start of a process here', { pid: process.pid, start: startOf(process.pid) }],
    ['of another machine', { boot: 'another' }],
    ['of another machine, in no container', { boot: 'another', space: place.space }],
  ])('leaves the lock of another container or machine of the same name for as long as it is touched: %s', (_, more) => {
    const inside = freshFolder()
    const path = join(inside, 'lock')
    fs.writeFileSync(path, JSON.stringify(stale({ ...elsewhere, ...more })))
    const touched = (minutes: number) => fs.utimesSync(path, new Date(), new Date(Date.now() - minutes * 60_000))
    for (const minutes of [0, 4]) {
      touched(minutes)
      expect(() => lockFolder(inside)).toThrow(
        /: process \d+ of another container or machine named .* writes there since .* remove .*\/lock$/,
      )
    }
    touched(6)
    const lock = lockFolder(inside)
    expect(JSON.parse(fs.readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid, ...place })
    lock.release()
  })

  it('takes over at once what the same machine wrote before it was started anew', () => {
    const inside = freshFolder()
    const path = join(inside, 'lock')
    fs.writeFileSync(path, JSON.stringify(stale({ pid: process.pid, ...place, boot: 'before' })))
    const started = vi.spyOn(os, 'uptime').mockReturnValue(60)
    const touched = (seconds: number) => fs.utimesSync(path, new Date(), new Date(Date.now() - seconds * 1000))
    touched(50) // since then: by a machine of the same name
    expect(() => lockFolder(inside)).toThrow('of another container or machine named')
    touched(70)
    lockFolder(inside).release()
    expect(fs.readdirSync(inside)).toEqual([])
    started.mockRestore()
  })

  it('touches its lock while it holds it, and no lock of others', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const inside = freshFolder()
      const path = join(inside, 'lock')
      const old = new Date('2026-01-01')
      const age = () => fs.utimesSync(path, old, old)
      const lock = lockFolder(inside)
      age()
      vi.advanceTimersByTime(60_000)
      expect(Date.now() - fs.statSync(path).mtimeMs).toBeLessThan(60_000)
      fs.writeFileSync(path, JSON.stringify(stale({ token: 'another' })))
      age()
      vi.advanceTimersByTime(60_000)
      expect(fs.statSync(path).mtime).toEqual(old)
      fs.rmSync(inside, { recursive: true })
      vi.advanceTimersByTime(60_000)
      lock.release()
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('takes over also where an earlier heir died in the act', () => {
    const inside = freshFolder()
    fs.writeFileSync(join(inside, 'lock'), JSON.stringify(stale()))
    fs.writeFileSync(join(inside, 'lock.heir'), JSON.stringify(stale({ token: 'dead heir' })))
    const lock = lockFolder(inside)
    expect(fs.readdirSync(inside)).toEqual(['lock'])
    lock.release()
  })

  it('leaves the lock of another machine, and one it cannot read, and says what to do', () => {
    const inside = freshFolder()
    const path = join(inside, 'lock')
    fs.writeFileSync(path, JSON.stringify(stale({ host: 'elsewhere' })))
    expect(() => lockFolder(inside)).toThrow(/on elsewhere writes there since .* remove .*\/lock$/)
    for (const text of ['', 'null', '{"pid":1}', '{']) {
      fs.writeFileSync(path, text)
      expect(() => lockFolder(inside)).toThrow(/its lock is unreadable.* remove .*\/lock$/)
      expect(fs.readFileSync(path, 'utf8')).toBe(text)
    }
    fs.rmSync(path)
    fs.symlinkSync('/nowhere', path)
    expect(() => lockFolder(inside)).toThrow(/its lock is unreadable/)
  })

  it('works where the file system has no links', () => {
    const inside = freshFolder()
    vi.spyOn(fs, 'linkSync').mockImplementation(() => {
      throw failure('EPERM')
    })
    const lock = lockFolder(inside)
    expect(() => lockFolder(inside)).toThrow('Cannot lock')
    expect(fs.readdirSync(inside)).toEqual(['lock'])
    lock.release()
  })

  it('says when the disk is too full for a lock', () => {
    vi.spyOn(fs, 'writeSync').mockImplementationOnce(() => {
      throw failure('ENOSPC')
    })
    const inside = freshFolder()
    expect(() => lockFolder(inside)).toThrow(expect.objectContaining({ name: 'UserError', code: 5 }))
    expect(fs.readdirSync(inside)).toEqual([])
  })

  it('clears away the temporary files of writers that were killed, and no others', () => {
    const inside = freshFolder()
    const names = [
      `.model.safetensors.${process.pid}-0123456789abcdef.tmp`,
      '.other.tmp',
      `model.${deadPid()}-0123456789abcdef.tmp`,
    ]
    for (const name of [...names, `.model.safetensors.${deadPid()}-0123456789abcdef.tmp`]) {
      fs.writeFileSync(join(inside, name), '')
    }
    const lock = lockFolder(inside)
    expect(fs.readdirSync(inside).sort()).toEqual([...names, 'lock'].sort())
    lock.release()
  })

  describe('among many starters', () => {
    const compiled = join(folder, 'compiled')

    beforeAll(() => {
      // Node runs no TypeScript: compile this one file with the project's own settings.
      const root = join(import.meta.dirname, '..')
      const configuration = {
        extends: join(root, 'tsconfig.json'),
        compilerOptions: {
          outDir: compiled,
          rootDir: import.meta.dirname,
          typeRoots: [join(root, 'node_modules/@types')],
        },
        include: [join(import.meta.dirname, 'files.ts')],
      }
      fs.writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(configuration))
      fs.writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
      execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { stdio: 'inherit' })
      fs.writeFileSync(join(folder, 'start.mjs'), starter)
      fs.writeFileSync(join(folder, 'race.mjs'), racer)
    }, 60_000)

    it.each(['a free folder', 'a dead writer’s folder'])(
      'lets one of 50 processes have %s',
      async (state) => {
        const inside = freshFolder()
        if (state !== 'a free folder') fs.writeFileSync(join(inside, 'lock'), JSON.stringify(stale()))
        const children: ChildProcess[] = []
        const answers = Array.from({ length: 50 }, () => {
          const child = spawn(process.execPath, [join(folder, 'start.mjs'), inside], {
            stdio: ['pipe', 'pipe', 'inherit'],
          })
          children.push(child)
          return firstTwoLines(child)
        })
        // All are up and wait; the go reaches them together, and the winner keeps its lock until its input ends.
        await Promise.all(answers.map(({ ready }) => ready))
        for (const child of children) child.stdin?.write('go\n')
        const results = await Promise.all(answers.map(({ answer }) => answer))
        for (const child of children) child.stdin?.end()
        expect(results.filter((result) => result.startsWith('won'))).toHaveLength(1)
        const others = results.filter((result) => !result.startsWith('won'))
        for (const result of others) {
          expect(result).toMatch(/^exit code 6 in \d+ ms$/)
          expect(Number(result.split(' ')[4])).toBeLessThan(1000)
        }
      },
      60_000,
    )

    // Skipped where a process may not make a container's name space of process ids.
    const unshare = ['--pid', '--fork', '--mount-proc', '--kill-child']
    const mayUnshare = spawnSync('unshare', [...unshare, 'true']).status === 0
    it.skipIf(!mayUnshare)('lets one of two containers with one host name have a folder', async () => {
      const inside = freshFolder()
      const start = () => {
        const words = [...unshare, process.execPath, join(folder, 'start.mjs'), inside]
        const child = spawn('unshare', words, { stdio: ['pipe', 'pipe', 'inherit'] })
        return { child, ...firstTwoLines(child) }
      }
      const [first, second] = [start(), start()]
      for (const { child, ready, answer } of [first, second]) {
        await ready
        child.stdin?.write('go\n')
        await answer
      }
      expect([await first.answer, await second.answer]).toEqual([
        expect.stringMatching(/^won/),
        expect.stringMatching(/^exit code 6/),
      ])
      expect(() => lockFolder(inside)).toThrow('of another container or machine named')
      for (const { child } of [first, second]) child.stdin?.end()
    })

    it('lets one of 8 threads take over each of 150 dead locks', async () => {
      const rounds = 150
      const inside = freshFolder()
      for (let round = 0; round < rounds; round++) {
        fs.mkdirSync(join(inside, String(round)))
        fs.writeFileSync(join(inside, String(round), 'lock'), JSON.stringify(stale()))
        if (round % 3 === 0) fs.writeFileSync(join(inside, String(round), 'lock.heir'), JSON.stringify(stale()))
      }
      const shared = new SharedArrayBuffer(4 * (rounds + 1))
      const workerData = { inside, rounds, threads: 8, shared }
      const workers = Array.from({ length: 8 }, () => new Worker(join(folder, 'race.mjs'), { workerData }))
      const ended = workers.map(
        (worker) =>
          new Promise((resolve, reject) => {
            worker.once('error', reject).once('exit', resolve)
          }),
      )
      await Promise.all(ended)
      expect([...new Int32Array(shared, 4)]).toEqual(Array.from({ length: rounds }, () => 1))
    }, 60_000)

    it('never has two holders while threads take and release the same folder', async () => {
      const inside = freshFolder()
      const program = { inside, turns: 200, shared: new SharedArrayBuffer(12) }
      const workers = Array.from({ length: 4 }, () => new Worker(join(folder, 'race.mjs'), { workerData: program }))
      await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))))
      const [holders, most, failures] = new Int32Array(program.shared)
      expect({ holders, most, failures }).toEqual({ holders: 0, most: 1, failures: 0 })
      expect(fs.readdirSync(inside)).toEqual([])
    }, 60_000)
  })
})

/** Says ready, waits for a line, tries the lock, says how it went, and stays until its input ends. */
const starter = `
import { lockFolder } from './compiled/files.js'
process.stdin.once('data', () => {
  const begin = performance.now()
  try {
    lockFolder(process.argv[2])
    console.log('won')
  } catch (error) {
    console.log('exit code ' + error.code + ' in ' + Math.round(performance.now() - begin) + ' ms')
  }
})
console.log('ready')
process.stdin.on('end', () => process.exit())
`

/** Either: meets the other threads before each round, then races for that round's folder. Or: takes turns in one. */
const racer = `
import { workerData } from 'node:worker_threads'
import { lockFolder } from './compiled/files.js'
const { inside, rounds, threads, turns, shared } = workerData
const counts = new Int32Array(shared)
for (let round = 0; round < (rounds ?? 0); round++) {
  Atomics.add(counts, 0, 1)
  while (Atomics.load(counts, 0) < threads * (round + 1)) Atomics.wait(counts, 0, Atomics.load(counts, 0), 1)
  try {
    lockFolder(inside + '/' + round)
    Atomics.add(counts, round + 1, 1)
  } catch (error) {
    if (error.code !== 6) throw error
  }
}
for (let turn = 0; turn < (turns ?? 0); turn++) {
  try {
    const lock = lockFolder(inside)
    const holders = Atomics.add(counts, 0, 1) + 1
    if (holders > Atomics.load(counts, 1)) Atomics.store(counts, 1, holders)
    Atomics.sub(counts, 0, 1)
    lock.release()
  } catch (error) {
    if (error.code !== 6) Atomics.add(counts, 2, 1)
  }
}
`

function firstTwoLines(child: ChildProcess): { ready: Promise<void>; answer: Promise<string> } {
  let text = ''
  let isReady = () => {}
  const ready = new Promise<void>((resolve) => {
    isReady = resolve
  })
  const answer = new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (data) => {
      text += data
      const lines = text.split('\n')
      if (lines.length > 1) isReady()
      if (lines.length > 2) resolve(lines[1] ?? '')
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`A starter ended after saying ${text}`)))
  })
  return { ready, answer }
}

/** When a process began, as the system says. */
const startOf = (pid: number) => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19]

let dead: number | undefined
/** The id of a process that has ended. */
function deadPid(): number {
  dead ??= Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }))
  return dead
}

describe('files', () => {
  it('round-trips any bytes in any chunks', () => {
    const path = join(freshFolder(), 'file')
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }), (chunks) => {
        writeAtomically(path, chunks)
        expect(fs.readFileSync(path).equals(Buffer.concat(chunks))).toBe(true)
      }),
      { numRuns: 50 },
    )
  })
})
