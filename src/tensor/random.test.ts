import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Random } from './random.ts'
import { scope } from './scope.ts'

const draw = (random: Random, count = 20) => Array.from({ length: count }, () => random.bits())

describe('Random', () => {
  it('is xoshiro128**, as its authors and the rand_xoshiro crate have it', () => {
    const random = new Random(0)
    random.restore([1, 2, 3, 4])
    const expected = [
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]
    expect(draw(random, 10)).toEqual(expected)
  })

  it('starts from SHA-256 of the seed', () => {
    const sha = (key: Buffer, text: string) => createHash('sha256').update(key).update(text).digest()
    const start = sha(sha(Buffer.from('seed'), '42'), 'stream')
    expect(new Random(42).state()).toEqual([0, 4, 8, 12].map((at) => start.readUInt32LE(at)))
  })

  it('gives the same stream for the same seed and another for another', () => {
    expect(draw(new Random(1))).toEqual(draw(new Random(1)))
    expect(draw(new Random(1))).not.toEqual(draw(new Random(2)))
  })

  it('forks without moving on, to the same stream wherever it stands', () => {
    const random = new Random(1)
    const early = draw(random.fork('a'))
    const rest = draw(random)
    expect(draw(random.fork('a'))).toEqual(early)
    expect(rest).toEqual(draw(new Random(1)))
  })

  it('forks to different streams by name, at every depth', () => {
    const root = new Random(1)
    const streams = [
      root,
      root.fork(''),
      root.fork('a'),
      root.fork('b'),
      root.fork('a').fork('b'),
      root.fork('b').fork('a'),
      root.fork('ab'),
      root.fork('a b'),
      root.fork('stream'),
      new Random(2).fork('a'),
    ].map((random) => String(draw(random)))
    expect(new Set(streams).size).toBe(streams.length)
  })

  it.each([
    [0.75, 0.75],
    [0.3, 0.9],
    [2, 1],
    [4, 4],
  ])('draws Beta(%s, %s) with its mean and variance', (a, b) => {
    const random = new Random(1)
    const count = 40_000
    const values = Array.from({ length: count }, () => random.beta(a, b))
    expect(values.every((value) => value >= 0 && value <= 1)).toBe(true)
    const mean = values.reduce((sum, value) => sum + value, 0) / count
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count
    const expected = (a * b) / ((a + b) ** 2 * (a + b + 1))
    expect(Math.abs(mean - a / (a + b))).toBeLessThan(4 * Math.sqrt(expected / count))
    expect(variance / expected).toBeGreaterThan(0.97)
    expect(variance / expected).toBeLessThan(1.03)
  })

  it('is uncorrelated between forks', () => {
    const [a, b] = [new Random(1).fork('a'), new Random(1).fork('b')]
    let sum = 0
    for (let i = 0; i < 100_000; i++) sum += a.normal() * b.normal()
    expect(Math.abs(sum / 100_000)).toBeLessThan(5 / Math.sqrt(100_000))
  })

  it('goes on where its state was taken', () => {
    const random = new Random(3)
    draw(random)
    const state = JSON.parse(JSON.stringify(random.state())) as number[]
    const expected = draw(random)
    const other = new Random(99)
    other.restore(state)
    expect(draw(other)).toEqual(expected)
  })

  it('permutes: everything once, every order about equally often', () => {
    const random = new Random(4)
    for (const count of [0, 1, 2, 1000]) {
      const sorted = [...random.permutation(count)].sort((a, b) => a - b)
      expect(sorted).toEqual(Array.from({ length: count }, (_, i) => i))
    }
    const seen = new Map<string, number>()
    for (let i = 0; i < 24_000; i++) {
      const order = String(random.permutation(4))
      seen.set(order, (seen.get(order) ?? 0) + 1)
    }
    // 24 orders, 1,000 expected of each: chi-square with 23 degrees of freedom is over 58 once in 10,000.
    const chiSquare = [...seen.values()].reduce((sum, times) => sum + (times - 1000) ** 2 / 1000, 0)
    expect(seen.size).toBe(24)
    expect(chiSquare).toBeLessThan(58)
  })

  it('draws whole numbers evenly and within their range', () => {
    const random = new Random(5)
    const times = new Array<number>(10).fill(0)
    for (let i = 0; i < 100_000; i++) {
      const value = random.integer(10)
      times[value] = (times[value] ?? 0) + 1
    }
    expect(Object.keys(times).length).toBe(10)
    const chiSquare = times.reduce((sum, each) => sum + (each - 10_000) ** 2 / 10_000, 0)
    expect(chiSquare).toBeLessThan(34) // 9 degrees of freedom, once in 10,000
    expect(random.integer(1)).toBe(0)
  })

  it('draws uniform numbers that float32 holds exactly', () => {
    const random = new Random(6)
    let sum = 0
    for (let i = 0; i < 100_000; i++) {
      const value = random.uniform()
      if (!(value >= 0 && value < 1 && Math.fround(value) === value)) expect(value).toBe('in [0, 1) and exact')
      sum += value
    }
    expect(Math.abs(sum / 100_000 - 0.5)).toBeLessThan(0.005)
  })

  it('draws normal numbers', () => {
    const random = new Random(7)
    const count = 100_000
    const values = Array.from({ length: count }, () => random.normal())
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / count
    expect(Math.abs(moment(1))).toBeLessThan(0.015)
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.025)
    expect(Math.abs(moment(3))).toBeLessThan(0.05)
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.2)
    expect(values.filter((value) => value < 1).length / count).toBeCloseTo(0.8413, 2)
    expect(values.every(Number.isFinite)).toBe(true)
  })

  it('fills tensors from the same stream', () => {
    scope(() => {
      const [a, b] = [new Random(8), new Random(8)]
      const uniform = a.uniformTensor([2, 3], -1, 1)
      expect([uniform.dtype, uniform.device, uniform.shape]).toEqual(['float32', 'cpu', [2, 3]])
      expect(uniform.numbers()).toEqual(Array.from({ length: 6 }, () => Math.fround(-1 + 2 * b.uniform())))
      expect(a.normalTensor([4], 10, 0.5).numbers()).toEqual(
        Array.from({ length: 4 }, () => Math.fround(10 + 0.5 * b.normal())),
      )
    })
  })
})
