import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { UserError } from '../errors.ts'
import type { Stateful } from '../nn/module.ts'
import { Random } from '../tensor/random.ts'
import { keep, scope } from '../tensor/scope.ts'
import { full, liveTensors, noGrad, type Tensor, tensor } from '../tensor/tensor.ts'
import { checkpointFolder, type Position, pack, restoreTensors, unpack } from './checkpoint.ts'

const root = fs.mkdtempSync(join(tmpdir(), 'checkpoint-'))
let count = 0
afterEach(() => vi.restoreAllMocks())
afterAll(() => fs.rmSync(root, { recursive: true }))

const position = (batch: number): Position => ({
  epoch: 3,
  batch,
  finished: false,
  sums: { images: 7, loss: 0.1 + 0.2 },
})

/** A small state, and a folder to save it in. */
function fixture() {
  const weights = keep(full([3, 2], 0))
  const step = keep(tensor(BigInt64Array.of(0n), [1]))
  let plain: unknown = null
  const restore = (value: unknown) => {
    plain = value
  }
  const optimizer: Stateful = { tensors: { step }, plain: () => plain, restore }
  const state: Record<string, Stateful> = { model: { tensors: { weights } }, optimizer }
  const set = (value: number) => {
    noGrad(() => weights.fill_(value))
    step.fill_(BigInt(value))
    plain = { value }
  }
  const read = () => ({ weights: weights.numbers(), step: step.item(), plain })
  const warnings: string[] = []
  const folder = join(root, String(count++))
  const checkpoints = checkpointFolder(folder, (message) => warnings.push(message))
  const file = join(folder, 'first.safetensors')
  return { state, set, read, warnings, checkpoints, folder, file }
}
const all = (value: number) => ({ weights: new Array(6).fill(value), step: value, plain: { value } })

describe('a checkpoint', () => {
  it('gives back tensors, plain state and position', () => {
    const { state, set, read, checkpoints, warnings } = fixture()
    set(5)
    checkpoints.save('first', state, position(5))
    set(9)
    expect(checkpoints.restore('first', state)).toEqual(position(5))
    expect(read()).toEqual(all(5))
    expect(warnings).toEqual([])
  })

  it('is not there for a stage that was never saved', () => {
    const { state, set, read, checkpoints } = fixture()
    set(1)
    checkpoints.save('first', state, position(1))
    set(2)
    expect(checkpoints.restore('second', state)).toBeUndefined()
    expect(read()).toEqual(all(2))
  })

  it('keeps the one before it, and no more', () => {
    const { state, set, checkpoints, folder } = fixture()
    for (const value of [1, 2, 3]) {
      set(value)
      checkpoints.save('first', state, position(value))
    }
    expect(fs.readdirSync(folder).sort()).toEqual(['first.previous.safetensors', 'first.safetensors'])
  })

  it('survives that writing the next one fails', () => {
    const { state, set, read, checkpoints } = fixture()
    set(1)
    checkpoints.save('first', state, position(1))
    set(2)
    vi.spyOn(fs, 'writeSync').mockImplementation(() => {
      throw Object.assign(new Error('ENOSPC: made up'), { code: 'ENOSPC' })
    })
    expect(() => checkpoints.save('first', state, position(2))).toThrow('the disk is full')
    vi.restoreAllMocks()
    expect(checkpoints.restore('first', state)).toEqual(position(1))
    expect(read()).toEqual(all(1))
  })

  it('is used in its place when it is damaged: 1,000 bit flips and 200 truncations, each noticed', () => {
    const { state, set, read, checkpoints, warnings, folder, file } = fixture()
    for (const value of [1, 2]) {
      set(value)
      checkpoints.save('first', state, position(value))
    }
    const good = fs.readFileSync(file)
    const before = fs.readFileSync(join(folder, 'first.previous.safetensors'))
    const random = new Random(1)
    const live = liveTensors()
    for (let i = 0; i < 1200; i++) {
      const damaged = i < 1000 ? Buffer.from(good) : good.subarray(0, i < 1010 ? i - 1000 : random.integer(good.length))
      const at = random.integer(good.length)
      if (i < 1000) damaged[at] = (damaged[at] as number) ^ (1 << random.integer(8))
      fs.writeFileSync(file, damaged)
      set(9)
      expect(checkpoints.restore('first', state)).toEqual(position(1))
      expect(read()).toEqual(all(1))
      expect(warnings.length).toBe(i + 1)
      expect(fs.existsSync(file)).toBe(false)
    }
    expect(liveTensors()).toBe(live)
    expect(fs.readFileSync(join(folder, 'first.previous.safetensors'))).toEqual(before)
    expect(warnings.every((message) => message.includes(file) && message.includes('falling back'))).toBe(true)
  })

  it('does not push the good one away once it was found damaged', () => {
    const { state, set, checkpoints, file } = fixture()
    for (const value of [1, 2]) {
      set(value)
      checkpoints.save('first', state, position(value))
    }
    fs.truncateSync(file, 100)
    checkpoints.restore('first', state)
    vi.spyOn(fs, 'writeSync').mockImplementation(() => {
      throw Object.assign(new Error('ENOSPC: made up'), { code: 'ENOSPC' })
    })
    expect(() => checkpoints.save('first', state, position(3))).toThrow('the disk is full')
    vi.restoreAllMocks()
    expect(checkpoints.restore('first', state)).toEqual(position(1))
  })

  it('is nothing when both are damaged', () => {
    const { state, set, read, checkpoints, warnings, folder } = fixture()
    for (const value of [1, 2]) {
      set(value)
      checkpoints.save('first', state, position(value))
    }
    for (const name of fs.readdirSync(folder)) fs.truncateSync(join(folder, name), 100)
    set(7)
    expect(checkpoints.restore('first', state)).toBeUndefined()
    expect(read()).toEqual(all(7))
    expect(warnings.length).toBe(2)
  })

  it('is refused by a state of another form, which is left as it was', () => {
    const { state, set, read, checkpoints, warnings } = fixture()
    set(1)
    checkpoints.save('first', state, position(1))
    set(2)
    const other = { ...state, more: { tensors: { weights: keep(full([1], 0)) } } }
    expect(checkpoints.restore('first', other)).toBeUndefined()
    expect(warnings[0]).toContain('it holds 2 tensors, and not the 3 that are needed')
    expect(read()).toEqual(all(2))
  })
})

describe('a checkpoint that does not fit', () => {
  it.each(['a/first', 'b/second', 'c/third'])('is not restored by half: %s has another shape', (odd) => {
    const made = (value: number, other = '') =>
      Object.fromEntries(
        ['a/first', 'b/second', 'c/third'].map((name) => {
          const [part = '', key = ''] = name.split('/')
          return [part, { tensors: { [key]: keep(full([name === other ? 3 : 2], value)) } }]
        }),
      )
    const warnings: string[] = []
    const folder = join(root, String(count++))
    const checkpoints = checkpointFolder(folder, (message) => warnings.push(message))
    const numbers = (state: Record<string, Stateful>) =>
      Object.values(state).flatMap(({ tensors }) => Object.values(tensors).flatMap((each) => each.numbers()))
    const fits = made(1)
    checkpoints.save('first', fits, position(1)) // the one before, which fits
    checkpoints.save('first', made(2, odd), position(2))
    const state = made(7)
    expect(checkpoints.restore('first', state)).toEqual(position(1))
    expect(numbers(state)).toEqual(numbers(fits))
    expect(warnings[0]).toContain(`'${odd}' is [3], [2] is needed`)
    checkpoints.save('second', made(2, odd), position(2)) // no other to fall back on
    const untouched = made(7)
    expect(checkpoints.restore('second', untouched)).toBeUndefined()
    expect(new Set(numbers(untouched))).toEqual(new Set([7]))
  })
})

describe('pack', () => {
  it('makes the same bytes of the same tensors, and unpack gives them back', () => {
    scope(() => {
      const tensors = { a: tensor([1, 2], [2]), b: tensor(Uint8Array.of(3), [1]), c: tensor([0.5], [1], 'bfloat16') }
      const bytes = () => Buffer.concat(pack(tensors, { key: 'value' }))
      expect(bytes()).toEqual(bytes())
      const unpacked = unpack(bytes(), 'file')
      expect(unpacked.metadata.get('key')).toBe('value')
      const copies: Record<string, Tensor> = { a: full([2], 0), b: full([1], 0n, { dtype: 'uint8' }), c: full([1], 0) }
      restoreTensors(copies, unpacked.tensors, 'file')
      expect(Object.values(copies).map((each) => each.numbers())).toEqual([[1, 2], [3], [0.5]])
    })
  })

  it('takes tensors of another shape for a mistake', () => {
    scope(() => {
      const { tensors } = unpack(Buffer.concat(pack({ a: full([2], 1) }, {})), 'file')
      expect(() => restoreTensors({ a: full([3], 0) }, tensors, 'file')).toThrow(
        "Cannot use 'file': 'a' is [2], [3] is needed",
      )
      expect(() => restoreTensors({ b: full([2], 0) }, tensors, 'file')).toThrow(UserError)
    })
  })
})
