import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { device } from './device.ts'

const program = fileURLToPath(new URL('../bin/deconfound.js', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'killed-'))
// workers of a sweep that was killed may write for a moment still
afterAll(() => rmSync(home, { recursive: true, maxRetries: 20, retryDelay: 250 }))

const settings = {
  dataset: 'signs',
  'dataset.train': 48,
  'dataset.test': 24,
  epochs: 5,
  batch: 24,
  threads: 1,
  device,
}
const attacks = ['none', 'badnets']

/** A sweep of its own with two workers, and what it recorded: the weights by experiment. */
function sweepIn(folder: string) {
  const at = (name: string) => join(home, `${folder}-${name}`)
  const file = { record: at('records'), settings: { ...settings, 'model.depth': 10 }, grid: { attack: attacks } }
  writeFileSync(at('sweep.yaml'), JSON.stringify(file))
  const words = ['sweep', at('sweep.yaml'), '--runs', at('runs'), '--workers', '2']
  const records = () => readdirSync(at('records')).map((name) => JSON.parse(read(join(at('records'), name))).result)
  return {
    runs: at('runs'),
    weights: () => Object.fromEntries(records().map(({ attack, modelHash }) => [attack, modelHash])),
    /** The exit code; null where it was killed. Told the name of every experiment that begins. */
    work: (begins: (run: string, kill: () => void) => void = () => {}) =>
      new Promise<number | null>((resolve) => {
        const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'ignore', 'pipe'] })
        createInterface({ input: child.stderr }).on('line', (line) => {
          const run = /^\[\d\] (\S+) begins$/.exec(line)?.[1]
          if (run) begins(run, () => child.kill('SIGKILL'))
        })
        child.on('close', resolve)
      }),
  }
}
const read = (file: string) => readFileSync(file, 'utf8')

describe('a sweep with workers', () => {
  it('records all experiments, to the same weights, whichever of its processes are killed', async () => {
    const whole = sweepIn('whole')
    expect(await whole.work()).toBe(0)
    expect(Object.keys(whole.weights()).sort()).toEqual([...attacks].sort())

    const bereft = sweepIn('bereft')
    let killed = 0
    const first = await bereft.work((run) => {
      if (killed++ === 0) process.kill(JSON.parse(read(join(bereft.runs, run, 'lock'))).pid, 'SIGKILL')
    })
    expect(first).toBe(0) // the other worker has done its part
    expect(bereft.weights()).toEqual(whole.weights())

    const beheaded = sweepIn('beheaded')
    expect(await beheaded.work((_, kill) => kill())).toBeNull()
    expect(await beheaded.work()).toBe(0)
    expect(beheaded.weights()).toEqual(whole.weights())
  }, 180_000)
})
