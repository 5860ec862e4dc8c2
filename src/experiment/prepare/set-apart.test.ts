import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Random } from '../../tensor/random.ts'
import { imageSet } from '../../training/images.ts'
import { setApart } from './set-apart.ts'

const setOf = (labels: readonly number[], classes: number) =>
  imageSet({
    pixels: Uint8Array.from({ length: labels.length * 3 }, (_, i) => i),
    shape: [3, 1, 1],
    labels: Int32Array.from(labels),
    classes: Array.from({ length: classes }, (_, k) => `class ${k}`),
    names: labels.map((_, i) => `${i}.png`),
  })

describe('images set apart', () => {
  it('are so many of each class as asked for, and the rest is kept, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 60 }),
        fc.integer({ min: -1, max: 9 }),
        (labels, wanted) => {
          const given = setOf(labels, 5)
          const { kept, apart } = setApart(given, { random: new Random(1), count: (size) => Math.min(wanted, size) })
          const names = [...kept.names, ...(apart?.names ?? [])]
          expect([...names].sort()).toEqual([...given.names].sort())
          const order = (each: string) => Number.parseInt(each, 10)
          for (const part of [kept.names.map(order), (apart?.names ?? []).map(order)])
            expect(part).toEqual([...part].sort((a, b) => a - b))
          for (let k = 0; k < 5; k++) {
            const size = labels.filter((label) => label === k).length
            const found = apart?.labels.filter((label) => label === k).length ?? 0
            expect(found).toBe(Math.max(0, Math.min(wanted, size)))
          }
        },
      ),
    )
  })

  it('are the same for the same stream, and others for another', () => {
    const given = setOf(
      Array.from({ length: 90 }, (_, i) => i % 3),
      3,
    )
    const apart = (seed: number) => setApart(given, { random: new Random(seed), count: () => 9 }).apart?.names
    expect(apart(1)).toEqual(apart(1))
    expect(apart(1)).not.toEqual(apart(2))
  })

  it('go by whole groups, at least so many of each class, and every class keeps a group', () => {
    const tracks = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 5 })), { maxLength: 20 })
    fc.assert(
      fc.property(tracks, fc.integer({ min: 0, max: 9 }), (tracks, wanted) => {
        const images = tracks.flatMap(([label, length], group) => Array.from({ length }, () => ({ label, group })))
        const plain = setOf(
          images.map(({ label }) => label),
          4,
        )
        const given = { ...plain, groups: Int32Array.from(images, ({ group }) => group) }
        const { kept, apart } = setApart(given, { random: new Random(1), count: (size) => Math.min(wanted, size - 1) })
        const groupsOf = (set: typeof given | typeof kept | null) => new Set(set?.groups ?? [])
        for (const group of groupsOf(apart)) expect(groupsOf(kept).has(group)).toBe(false)
        for (let k = 0; k < 4; k++) {
          const own = tracks.filter(([label]) => label === k)
          const found = apart?.labels.filter((label) => label === k).length ?? 0
          if (own.length > 0) expect(kept.labels.includes(k)).toBe(true)
          const largest = Math.max(0, ...own.map(([, length]) => length))
          const all = own.reduce((sum, [, length]) => sum + length, 0)
          expect(found).toBeLessThan(Math.max(1, Math.min(wanted, all)) + largest)
          if (own.length > 0) expect(found).toBeGreaterThanOrEqual(Math.min(wanted, all - 1, all - largest))
        }
      }),
    )
  })
})
