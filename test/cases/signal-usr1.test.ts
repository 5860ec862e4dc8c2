import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { device } from '../device.ts'

// A command that is asked to stop by any signal that people and clusters send.

const program = fileURLToPath(new URL('../../bin/deconfound.js', import.meta.url))
const shared = fileURLToPath(new URL('../../../shared/cases/signal-usr1', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'signals-'))
afterAll(() => rmSync(home, { recursive: true }))

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const
const small = [
  '--dataset.train',
  '480',
  '--dataset.test',
  '24',
  '--batch',
  '16',
  '--model.depth',
  '10',
  '--threads',
  '1',
]
const training = ['run', '--attack', 'badnets', '--epochs', '500', '--device', device, ...small]

interface Ended {
  readonly code: number | null
  readonly said: string
  /** milliseconds from the signal to the word that it was heard, and to the end */
  readonly heard: number
  readonly ended: number
}

/** Starts a command and, once it has said `when`, sends the signals. */
function stopped(words: string[], { when, send, cwd = home }: { when: RegExp; send: NodeJS.Signals[]; cwd?: string }) {
  return new Promise<Ended>((resolve) => {
    const child: ChildProcess = spawn(process.execPath, [program, ...words], {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    let sent = 0
    let heard = Number.POSITIVE_INFINITY
    child.stderr?.on('data', (text) => {
      said += text
      if (sent === 0 && when.test(said)) {
        sent = performance.now()
        for (const signal of send) child.kill(signal)
      }
      if (said.includes('topp')) heard = Math.min(heard, performance.now() - sent)
    })
    child.on('close', (code) => resolve({ code, said, heard, ended: performance.now() - sent }))
  })
}

const runsIn = (folder: string) => (existsSync(folder) ? readdirSync(folder) : [])

describe('a training run', () => {
  it.each(signals)('saves on %s, says so at once, ends with 75 and names the way on', async (signal) => {
    const runs = join(home, signal)
    const { code, said, heard } = await stopped([...training, '--runs', runs], { when: /epoch 1 in/, send: [signal] })
    expect({ code, said }).toMatchObject({ code: 75, said: expect.stringContaining('stopping: saving …') })
    expect(heard).toBeLessThan(2000)
    expect(said).not.toMatch(/Debugger listening/)
    const [run = ''] = runsIn(runs)
    expect(said).toContain(`to go on: deconfound resume ${signal}/${run}`)
    expect(readdirSync(join(runs, run, 'checkpoints')).length).toBeGreaterThan(0)
    expect(existsSync(join(runs, run, 'lock'))).toBe(false)
  })

  it('is saved all the same where more signals come meanwhile', async () => {
    const runs = join(home, 'twice')
    const send: NodeJS.Signals[] = ['SIGINT', 'SIGUSR1', 'SIGINT', 'SIGTERM', 'SIGHUP']
    const { code, said } = await stopped([...training, '--runs', runs], { when: /epoch 1 in/, send })
    expect({ code, said }).toMatchObject({ code: 75, said: expect.stringContaining('everything is saved') })
  })

  it('leaves nothing behind where the signal comes before anything was trained', async () => {
    const runs = join(home, 'early')
    const { code, said } = await early([...training, '--runs', runs, '--dataset.train', '20000'], 'SIGTERM', 400)
    expect({ code, said }).toMatchObject({ code: 75, said: expect.stringContaining('Stopped on request') })
    expect(said).not.toContain('deconfound resume')
    expect(runsIn(runs)).toEqual([])
  })
})

it.each(signals)('a command that has hardly started ends on %s without a debugger', async (signal) => {
  const { code, said } = await early([...training, '--runs', join(home, 'never')], signal, 0)
  expect({ code, debugger: said.includes('Debugger') }).toEqual({ code: 75, debugger: false })
})

/** Starts a command and sends the signal some milliseconds after the moment from which it is heard. */
async function early(words: string[], signal: NodeJS.Signals, milliseconds: number) {
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (text) => {
    said += text
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  while (!isHeard('SIGUSR2', child.pid as number)) await setTimeout(5)
  await setTimeout(milliseconds)
  child.kill(signal)
  return { code: await ended, said }
}

/** Whether a process has a handler for a signal. */
function isHeard(signal: NodeJS.Signals, pid: number): boolean {
  const mask = /SigCgt:\s*([0-9a-f]+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0'
  return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n
}

it('poison leaves no half-made data set', async () => {
  const out = join(home, 'made', 'poisoned')
  const words = ['poison', '--attack', 'badnets', '--out', out, '--threads', '1', '--dataset.train', '20000']
  expect((await early(words, 'SIGTERM', 400)).code).toBe(75)
  expect(runsIn(join(home, 'made'))).toEqual([])
})

it.skipIf(!existsSync(shared))(
  'the case signal-usr1: photographs, stopped by USR1 (skipped where its input is not there)',
  async () => {
    const folder = join(home, 'case')
    cpSync(shared, folder, { recursive: true })
    const words = ['train', 'photos', '--epochs', '2000', '--threads', '1']
    const { code, said } = await stopped(words, { when: /epoch \d+ in/, send: ['SIGUSR1'], cwd: folder })
    expect({ code, said }).toMatchObject({
      code: 75,
      said: expect.stringMatching(/to go on: deconfound resume runs\//),
    })
    expect(said).not.toMatch(/Debugger listening/)
  },
)
