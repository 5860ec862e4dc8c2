import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { exitCode, UserError } from '../../errors.ts'
import { Random } from '../../tensor/random.ts'
import { arena } from '../../tensor/scope.ts'
import { liveTensors } from '../../tensor/tensor.ts'
import { imageSet } from '../../training/images.ts'
import { type CraftOptions, craftAttack, NotLearned } from '../prepare/craft.ts'
import { type Listener, silent } from '../prepare/listener.ts'
import { type Config, resolveConfig } from '../settings/config.ts'

// What every attack that learns may rely on: learned once, resumed exactly, kept with the run.

liveTensors() // loads the addon from the real cache
const cache = process.env.XDG_CACHE_HOME
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'learned-'))
  process.env.XDG_CACHE_HOME = folder
})
afterEach(() => rmSync(folder, { recursive: true }))
afterAll(() => {
  if (cache === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = cache
})

const random = new Random(1)
const train = imageSet({
  pixels: Uint8Array.from({ length: 24 * 3 * 256 }, () => random.integer(256)),
  shape: [3, 16, 16],
  labels: Int32Array.from({ length: 24 }, (_, i) => i % 3),
  classes: ['a', 'b', 'c'],
  names: Array.from({ length: 24 }, (_, i) => `image ${i}`),
})

const quick = {
  trojan: { 'attack.iterations': 5 },
  dynamic: { 'attack.mask-epochs': 2 },
  adaptive: {},
  'label-consistent': { 'attack.iterations': 2 },
} as const
type Learner = keyof typeof quick
const learners = Object.keys(quick) as Learner[]

const configure = (attack: Learner, more: Record<string, unknown> = {}): Config =>
  resolveConfig({ attack, 'attack.epochs': 2, 'model.depth': 10, batch: 8, target: 1, ...quick[attack], ...more })

/** Crafts, and says how often a batch was trained on, the trigger's identity, and the hash of what it poisons. */
async function craft(
  config: Config,
  { listener = {}, ...more }: Partial<Omit<CraftOptions, 'listener'>> & { listener?: Partial<Listener> } = {},
) {
  let batches = 0
  const progress = () => {
    batches++
  }
  const compute = { device, precision: 'fp32', threads: 1 } as const
  const told: Listener = { ...silent, progress, ...listener }
  return arena(async () => {
    const { trigger, report, poison } = await craftAttack(config, train, { compute, listener: told, ...more })
    return { batches, trigger, report, hash: poison().set.hash }
  })
}

const stored = () =>
  readdirSync(join(folder, 'deconfound', 'learned')).map((key) => join(folder, 'deconfound', 'learned', key))

describe.each(learners)('what %s learns', (attack) => {
  it('is learned once, and found again', async () => {
    const first = await craft(configure(attack))
    expect(first.batches).toBeGreaterThan(0)
    expect(
      Object.values(first.report)
        .flatMap((each) => Object.values(each))
        .every(Number.isFinite),
    ).toBe(true)
    const second = await craft(configure(attack))
    expect(second).toEqual({ ...first, batches: 0 })
    expect(stored().length).toBe(1)
    expect(readdirSync(stored()[0] as string)).toEqual(['learned.safetensors'])
  })

  it('is the same after being broken off at any batch', async () => {
    const straight = await craft(configure(attack))
    rmSync(folder, { recursive: true })
    let attempts = 0
    for (;;) {
      let asked = 0
      const listener = { interrupted: () => ++asked > 1 }
      const result = await craft(configure(attack), { listener }).catch((error: unknown) => {
        if (!(error instanceof UserError) || error.code !== exitCode.saved) throw error
        return undefined
      })
      if (result) {
        expect([result.hash, result.trigger]).toEqual([straight.hash, straight.trigger])
        break
      }
      attempts++
      expect(attempts).toBeLessThan(50)
    }
    expect(attempts).toBeGreaterThan(2)
  })

  it('is learned anew for other options, seeds and targets', async () => {
    const others = [{ seed: 2 }, { 'attack.epochs': 1 }, { target: 2 }]
    const identities = [await craft(configure(attack))]
    for (const other of others) identities.push(await craft(configure(attack, other)))
    expect(new Set(identities.map(({ trigger }) => trigger)).size).toBe(4)
    expect(stored().length).toBe(4)
  })

  it('is left alone where learning is not allowed', async () => {
    await expect(craft(configure(attack), { mayLearn: false })).rejects.toThrow(NotLearned)
  })
})

describe('what an attack learns', () => {
  it('stays with a run, which needs the cache no more', async () => {
    const run = mkdtempSync(join(tmpdir(), 'run-'))
    const file = (name: string) => join(run, name)
    const first = await craft(configure('trojan'), { file })
    expect(existsSync(file('trigger.safetensors'))).toBe(true)
    rmSync(join(folder, 'deconfound'), { recursive: true })
    expect(await craft(configure('trojan'), { file, mayLearn: false })).toEqual({ ...first, batches: 0 })
    rmSync(run, { recursive: true })
  })

  it('is learned again where the cache is damaged', async () => {
    const first = await craft(configure('trojan'))
    const path = join(stored()[0] as string, 'learned.safetensors')
    const bytes = readFileSync(path)
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1
    writeFileSync(path, bytes)
    const lines: string[] = []
    const again = await craft(configure('trojan'), { listener: { say: (line) => lines.push(line) } })
    expect([again.batches, again.hash]).toEqual([first.batches, first.hash])
    expect(lines.join('\n')).toContain('learning it again')
  })

  it('may belong to a part of an attack', async () => {
    const config = configure('adaptive', {
      'attack.base': 'trojan',
      'attack.base.epochs': 1,
      'attack.base.iterations': 2,
    })
    const { report } = await craft(config)
    expect(Object.keys(report)).toEqual(['base', 'adaptive'])
    expect(stored().length).toBe(2)
  })
})
