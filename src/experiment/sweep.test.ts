import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { identify } from './prepare/data.ts'
import { type Listener, silent } from './prepare/listener.ts'
import type { Config } from './settings/config.ts'
import { recordName } from './store/records.ts'
import { claimRun } from './store/run-folder.ts'
import { parseSweep } from './store/sweep-file.ts'
import { experimentOf, readPlans } from './store/sweep-plan.ts'
import { runSweep } from './sweep.ts'

const home = mkdtempSync(join(tmpdir(), 'sweep-'))
afterAll(() => rmSync(home, { recursive: true }))

let made = 0
const fresh = () => join(home, String(made++))

const settings = { dataset: 'signs', 'dataset.train': 48, 'dataset.test': 24, epochs: 1, batch: 24, threads: 1, device }
const small = { ...settings, 'model.depth': 10 }
/** A sweep over these, in folders of its own. */
function sweepOf(rest: object) {
  const folder = fresh()
  const sweep = parseSweep(JSON.stringify({ record: join(folder, 'records'), settings: small, ...rest }), 'a.yaml')
  const work = (listener: Partial<Listener> = {}) => runSweep(sweep, join(folder, 'runs'), { ...silent, ...listener })
  const runOf = async (k: number) => {
    const cell = sweep.cells[k] as Config
    return join(folder, 'runs', recordName(cell, await identify(cell, silent)))
  }
  return { sweep, work, runOf }
}

describe('a sweep’s file', () => {
  it('means all combinations of its grid, the last name fastest, and what is listed besides', () => {
    const { sweep } = sweepOf({
      grid: { attack: ['badnets', 'sig'], seed: [1, 2] },
      also: [{ attack: 'wanet', epochs: 2 }],
    })
    expect(sweep.cells.map(({ attack, seed, epochs }) => [attack, seed, epochs])).toEqual([
      ['badnets', 1, 1] as const,
      ['badnets', 2, 1] as const,
      ['sig', 1, 1] as const,
      ['sig', 2, 1] as const,
      ['wanet', 1, 2],
    ])
  })

  it('means the combinations of each of several grids', () => {
    const { sweep } = sweepOf({
      grids: [
        { epochs: [1], attack: ['badnets', 'sig'] },
        { epochs: [2], attack: ['wanet'] },
      ],
    })
    expect(sweep.cells.map(({ attack, epochs }) => [attack, epochs])).toEqual([
      ['badnets', 1] as const,
      ['sig', 1] as const,
      ['wanet', 2],
    ])
  })

  it.each([
    ['a name it does not know', { gird: {} }, "there is no 'gird' (did you mean 'grid'?)"],
    ['a mistake in one of its experiments', { grid: { attack: ['badnets', 'bandets'] } }, "'attack'"],
    ['the same experiment twice', { also: [{ seed: 1 }, { epochs: 1 }] }, 'two of its experiments are the same'],
    ['none at all', {}, 'it names no experiments'],
    ['an empty list', { grid: { attack: [] } }, "'grid.attack'"],
  ])('is refused for %s', (_, rest, message) => {
    expect(() => sweepOf(rest)).toThrow(message)
  })
})

describe('a sweep', () => {
  it('records every experiment once, and does nothing where all are recorded', async () => {
    const { sweep, work } = sweepOf({ grid: { attack: ['none', 'badnets'] } })
    expect(await work()).toEqual({ record: sweep.record, recorded: 2, failed: [] })
    const files = readdirSync(sweep.record).map((file) => join(sweep.record, file))
    expect(files.map((file) => JSON.parse(readFileSync(file, 'utf8')).result.attack).sort()).toEqual([
      'badnets',
      'none',
    ])
    const times = files.map((file) => statSync(file).mtimeMs)
    const begun: string[] = []
    await work({ say: (line) => void begun.push(line) })
    expect(begun).toEqual([])
    expect(files.map((file) => statSync(file).mtimeMs)).toEqual(times)
  })

  it('leaves beside its runs what it shall do, before it does anything', async () => {
    const { sweep, work, runOf } = sweepOf({ grid: { attack: ['none', 'badnets'], seed: [1, 2] } })
    await expect(work({ interrupted: () => true })).rejects.toMatchObject({ code: 75 })
    const runs = dirname(await runOf(0))
    const [plan] = readPlans(runs)
    expect(plan?.record).toBe(sweep.record)
    expect(plan?.cells.map(({ settings: { attack, seed } }) => [attack, seed])).toEqual([
      ['none', 1] as const,
      ['none', 2] as const,
      ['badnets', 1] as const,
      ['badnets', 2] as const,
    ])
    const names = await Promise.all(sweep.cells.map(async (_, k) => experimentOf(basename(await runOf(k)))))
    expect(plan?.cells.map(({ name }) => name)).toEqual(names)
    expect(JSON.stringify(plan?.cells)).not.toContain(home)
    await expect(work({ interrupted: () => true })).rejects.toMatchObject({ code: 75 })
    expect(readPlans(runs)).toHaveLength(1)
    writeFileSync(join(runs, 'torn.sweep.json'), '{"record":')
    expect(readPlans(runs)).toHaveLength(1)
  })

  it('goes on with an experiment that was broken off', async () => {
    const { sweep, work, runOf } = sweepOf({ also: [{ attack: 'badnets' }] })
    let batches = 0
    const broken = work({ progress: () => void batches++, interrupted: () => batches > 0 })
    await expect(broken).rejects.toMatchObject({ code: 75 })
    expect(existsSync(sweep.record)).toBe(false)
    const said: string[] = []
    await work({ say: (line) => void said.push(line) })
    expect(said[0]).toMatch(/ goes on$/)
    const [file] = readdirSync(sweep.record) as [string]
    expect(JSON.parse(readFileSync(join(sweep.record, file), 'utf8')).result.resumed).toBe(true)
    expect(existsSync(join(await runOf(0), 'result.json'))).toBe(true)
  })

  it('leaves an experiment to the process that has it, does the others, and waits', async () => {
    const { sweep, work, runOf } = sweepOf({ grid: { attack: ['badnets', 'none'] } })
    const other = claimRun(await runOf(0), sweep.cells[0] as never)
    const order: string[] = []
    const say = (line: string) => {
      if (/ (begins|goes on)$/.test(line)) order.push(line.split('-')[1] as string)
      if (order.length === 1) other.close()
    }
    expect(await work({ say })).toMatchObject({ recorded: 2 })
    expect(order).toEqual(['none', 'badnets'])
  })

  it('goes on after one that fails, and says why', async () => {
    const missing = join(home, 'missing')
    const { work } = sweepOf({ also: [{ dataset: 'cifar10', data: missing }, small], settings: {} })
    const result = await work()
    expect(result).toMatchObject({ recorded: 1, failed: [{ cell: expect.stringContaining('cifar10'), code: 3 }] })
    expect(result.failed[0]?.message).toContain(missing)
  })

  it('leaves nothing of an experiment that is a mistake', async () => {
    const { work, runOf } = sweepOf({ also: [{ attack: 'badnets', target: 12 }] })
    expect(await work()).toMatchObject({ recorded: 0, failed: [{ code: 2 }] })
    expect(existsSync(await runOf(0))).toBe(false)
  })

  it('refuses to go on with what was begun otherwise, and goes on as it was begun', async () => {
    const { sweep, runOf } = sweepOf({ also: [{ attack: 'badnets' }] })
    const [cell] = sweep.cells as [(typeof sweep.cells)[number]]
    const run = await runOf(0)
    claimRun(run, { ...cell, batch: 12 }).close()
    expect(() => claimRun(run, cell)).toThrow('it was begun with batch 12, not 24')
    const folder = claimRun(run, { ...cell, batch: 12, threads: 2 })
    expect(folder).toMatchObject({ fresh: false, config: { batch: 12, threads: 1 } })
    folder.close()
  })
})
