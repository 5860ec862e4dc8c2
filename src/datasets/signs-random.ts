/** Random numbers of one image: integer arithmetic only, so every machine draws the same. */
export interface Draws {
  /** in [from, to) */
  between(from: number, to: number): number
  /** an integer in [0, count) */
  below(count: number): number
  chance(probability: number): boolean
  /** close to a normal deviate, by the sum of four bytes: no logarithm, whose last bit depends on the engine */
  normal(): number
}

/** one over the standard deviation of a sum of four bytes */
const deviation = 1 / Math.sqrt((4 * (256 * 256 - 1)) / 12)

/** A stream of its own for each image, so that an image depends on its seed, split and index and on no other image. */
export function draws(seed: number, split: number, index: number): Draws {
  // sfc32 (C. Doty-Humphrey, PractRand), with the key as its state
  let a = seed | 0
  let b = Math.floor(seed / 2 ** 32) ^ Math.imul(split + 1, 0x9e3779b9)
  let c = index | 0
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let i = 0; i < 15; i++) next()
  const uniform = () => next() / 2 ** 32
  return {
    between: (from, to) => from + (to - from) * uniform(),
    below: (count) => Math.floor(uniform() * count),
    chance: (probability) => uniform() < probability,
    normal: () => {
      const bytes = next()
      const sum = (bytes & 255) + ((bytes >>> 8) & 255) + ((bytes >>> 16) & 255) + (bytes >>> 24)
      return (sum - 510) * deviation
    },
  }
}

/** Cosine and sine of a random angle, by its half tangent: exact arithmetic; `most` 1 allows up to 90 degrees. */
export function direction(random: Draws, most: number): readonly [cosine: number, sine: number] {
  const tangent = random.between(-most, most)
  const scale = 1 + tangent * tangent
  return [(1 - tangent * tangent) / scale, (2 * tangent) / scale]
}
