// All pairs of hashes that differ in few bits, without comparing every pair (multi-index hashing: M. Norouzi, A. Punjani,
// D. Fleet, CVPR 2012). Where at most d bits differ and the bits are dealt into d + 1 parts, some part is equal: only
// hashes that share a part are compared.

export interface PairOptions {
  /** 32-bit words of a hash */
  readonly words: number
  /** bits that may differ */
  readonly most: number
}

/** Calls `found` once for each pair i < j. `hashes`: [count × words]. */
export function nearPairs(
  hashes: Uint32Array,
  { words, most }: PairOptions,
  found: (i: number, j: number, distance: number) => void,
): void {
  const count = hashes.length / words
  const parts = dealBits(hashes, { words, parts: most + 1 })
  const keys = parts.map((bits) => keysOf(hashes, words, bits))
  const distanceOf = (i: number, j: number) => {
    let distance = 0
    for (let k = 0; k < words; k++) {
      distance += ones((hashes[i * words + k] as number) ^ (hashes[j * words + k] as number))
      if (distance > most) break
    }
    return distance
  }
  for (const [part, own] of keys.entries()) {
    const buckets = new Map<number, number[]>()
    for (let j = 0; j < count; j++) {
      const key = own[j] as number
      const bucket = buckets.get(key)
      if (!bucket) {
        buckets.set(key, [j])
        continue
      }
      for (const i of bucket) {
        const distance = distanceOf(i, j)
        // a pair that shares an earlier part too was found there
        if (distance <= most && !keys.slice(0, part).some((other) => other[i] === other[j])) found(i, j, distance)
      }
      bucket.push(j)
    }
  }
}

/**
 * The places of the bits in each part. Bits that are nearly always the same tell nothing apart, so every part gets its
 * share of those that are set about half of the time.
 */
function dealBits(hashes: Uint32Array, { words, parts }: { words: number; parts: number }): number[][] {
  const bits = 32 * words
  const count = hashes.length / words
  const imbalance = Array.from({ length: bits }, (_, bit) => {
    let set = 0
    for (let i = 0; i < count; i++) set += ((hashes[i * words + (bit >> 5)] as number) >>> (bit & 31)) & 1
    return Math.abs(set - count / 2)
  })
  const order = Array.from({ length: bits }, (_, bit) => bit).sort(
    (a, b) => (imbalance[a] as number) - (imbalance[b] as number),
  )
  return Array.from({ length: parts }, (_, part) => order.filter((_, place) => place % parts === part))
}

function keysOf(hashes: Uint32Array, words: number, bits: readonly number[]): Float64Array {
  return Float64Array.from({ length: hashes.length / words }, (_, i) =>
    bits.reduce((key, bit) => 2 * key + (((hashes[i * words + (bit >> 5)] as number) >>> (bit & 31)) & 1), 0),
  )
}

/** How many bits of a word are set. */
function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
