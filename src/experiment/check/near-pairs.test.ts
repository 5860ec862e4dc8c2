import fc from 'fast-check'
import { expect, it } from 'vitest'
import { nearPairs } from './near-pairs.ts'

const words = 2

it('finds every pair that differs in few bits, once, as comparing all pairs does', () => {
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  // some hashes are others with a few bits turned, so that there is something to find
  const turned = fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 6 })
  const many = fc.array(fc.tuple(word, word, turned), { minLength: 2, maxLength: 40 })
  fc.assert(
    fc.property(many, fc.integer({ min: 0, max: 8 }), (drawn, most) => {
      const pairs = drawn.flatMap(([a, b, bits]) => [[a, b] as const, turn([a, b], bits)])
      const hashes = Uint32Array.from(pairs.flat())
      const found: string[] = []
      nearPairs(hashes, { words, most }, (i, j, distance) => found.push(`${i} ${j} ${distance}`))
      const wanted: string[] = []
      for (let j = 0; j < pairs.length; j++) {
        for (let i = 0; i < j; i++) {
          const distance = distanceOf(pairs[i] as Pair, pairs[j] as Pair)
          if (distance <= most) wanted.push(`${i} ${j} ${distance}`)
        }
      }
      expect(found.sort()).toEqual(wanted.sort())
    }),
    { numRuns: 60 },
  )
})

type Pair = readonly [number, number]

function turn([a, b]: Pair, bits: readonly number[]): Pair {
  const both = [a, b]
  for (const bit of bits) both[bit >> 5] = ((both[bit >> 5] as number) ^ (1 << (bit & 31))) >>> 0
  return [both[0] as number, both[1] as number]
}

/** By writing both out in digits. */
function distanceOf(one: Pair, other: Pair): number {
  const digits = (pair: Pair) => pair.map((word) => word.toString(2).padStart(32, '0')).join('')
  return [...digits(one)].filter((digit, k) => digit !== digits(other)[k]).length
}
