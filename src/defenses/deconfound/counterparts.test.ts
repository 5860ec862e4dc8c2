import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { Random } from '../../tensor/random.ts'
import { arena } from '../../tensor/scope.ts'
import { imageSet } from '../../training/images.ts'
import { loader } from '../../training/loader.ts'
import { type Counterpart, drawPairing } from './counterparts.ts'

const side = 32
const count = 12
const random = new Random(1)
const pixels = Uint8Array.from({ length: count * side * side }, () => random.integer(256))
const set = imageSet({
  pixels,
  shape: [1, side, side],
  classes: ['a', 'b'],
  labels: new Int32Array(count),
  names: Array.from({ length: count }, (_, i) => String(i)),
})
const all = Int32Array.from({ length: count }, (_, i) => i)

/** Rows of each image as it is, as it is shown, and of its counterpart. */
function pairs(kind: Counterpart) {
  const { own, counterpart } = drawPairing(new Random(2), count, { size: [side, side], counterpart: kind })
  return arena(async () => {
    const images = loader(set, device)
    const rows = (draws?: typeof own) => {
      const values = images.images(all, draws).numbers()
      return Array.from(all, (i) =>
        Array.from({ length: side }, (_, r) => values.slice((i * side + r) * side, (i * side + r + 1) * side)),
      )
    }
    return { plain: rows(), own: rows(own), counterpart: rows(counterpart) }
  })
}

const transposed = (rows: readonly (readonly number[])[]) => rows.map((_, c) => rows.map((row) => row[c] as number))

describe('pairing images with counterparts', () => {
  it('shows an image as it is beside its mirror image', async () => {
    const { plain, own, counterpart } = await pairs('mirrored')
    expect(own).toEqual(plain)
    expect(counterpart).toEqual(plain.map((rows) => rows.map((row) => row.toReversed())))
  })

  it('or moves it to one side, and gives both the same gap, filled by what lies beside it', async () => {
    const { plain, own, counterpart } = await pairs('moved')
    const sides = new Set<string>()
    for (const i of all) {
      const looks = [
        { name: 'down', see: (rows: number[][]) => rows },
        { name: 'up', see: (rows: number[][]) => rows.toReversed() },
        { name: 'right', see: (rows: number[][]) => transposed(rows) },
        { name: 'left', see: (rows: number[][]) => transposed(rows).toReversed() },
      ]
      const found = looks.flatMap(({ name, see }) => {
        const [was, is, other] = [plain, own, counterpart].map((each) => see(each[i] as number[][])) as [
          number[][],
          number[][],
          number[][],
        ]
        const by = [2, 3, 4].find((d) => other.slice(d).every((row, r) => String(row) === String(was[r])))
        if (by === undefined) return []
        expect(is.slice(by)).toEqual(was.slice(by))
        expect(is.slice(0, by)).toEqual(is.slice(by, 2 * by).toReversed())
        expect(other.slice(0, by)).toEqual(other.slice(by, 2 * by).toReversed())
        return [name]
      })
      expect(found.length).toBe(1)
      sides.add(found[0] as string)
    }
    expect(sides.size).toBeGreaterThan(2)
  })
})
