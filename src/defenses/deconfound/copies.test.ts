import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { Random } from '../../tensor/random.ts'
import { liveTensors } from '../../tensor/tensor.ts'
import { imageSet } from '../../training/images.ts'
import { loader } from '../../training/loader.ts'
import { contradictions, divide, findCopies, meansOfCopies } from './copies.ts'

const classes = ['a', 'b', 'c']

/** Images of 3×4×4, alike where their number is, a gray level apart where it is the next one. */
async function copiesAmong(numbers: readonly number[], labels = numbers.map(() => 0), groups?: Int32Array) {
  const pixels = Uint8Array.from(
    numbers.flatMap((number) => Array.from({ length: 48 }, (_, k) => (k === 7 ? number : 9))),
  )
  const names = numbers.map(String)
  const parts = {
    pixels,
    shape: [3, 4, 4],
    labels: Int32Array.from(labels),
    classes,
    names,
    ...(groups && { groups }),
  } as const
  const images = loader(imageSet(parts), device)
  const copies = await findCopies({ images, pause: async () => {} })
  images.free()
  return copies
}

describe('copies', () => {
  it('are found by every pixel, whatever their label', async () => {
    const copies = await copiesAmong([5, 6, 5, 7, 6, 5], [0, 0, 0, 1, 2, 1])
    expect([...copies.first]).toEqual([0, 1, 0, 3, 1, 0])
    expect([...copies.distinct]).toEqual([0, 1, 3, 4, 5])
    expect([...copies.place]).toEqual([0, 1, 0, 2, 3, 4])
  })

  it('are found across batches, and of all 256 gray levels no two are taken for one', async () => {
    const levels = Array.from({ length: 600 }, (_, i) => i % 256)
    const { first, distinct } = await copiesAmong(levels)
    expect([...first]).toEqual(levels)
    expect(distinct.length).toBe(256)
  })

  it('never fall into different halves', async () => {
    const random = new Random(1)
    const numbers = Array.from({ length: 500 }, () => random.integer(60))
    const copies = await copiesAmong(
      numbers,
      Array.from(numbers, () => random.integer(3)),
    )
    for (let division = 0; division < 20; division++) {
      const halfOf = divide(random.fork(String(division)), copies)
      const halves = new Map<number, number>()
      for (const [i, number] of numbers.entries()) {
        halves.set(number, halves.get(number) ?? halfOf(i))
        expect(halfOf(i)).toBe(halves.get(number))
      }
      expect(new Set(halves.values()).size).toBe(2)
    }
  })

  it('keep with them what is of their group, and the copies of that', async () => {
    const copies = await copiesAmong([5, 6, 7, 8, 7, 9], undefined, Int32Array.of(1, 2, 1, 3, 2, 4))
    expect([...copies.together]).toEqual([0, 0, 0, 3, 0, 5])
    expect([...copies.distinct]).toEqual([0, 1, 2, 3, 5])
  })

  it('and groups never fall into different halves', async () => {
    const random = new Random(2)
    const numbers = Array.from({ length: 500 }, () => random.integer(2000))
    const groups = Int32Array.from(numbers, () => random.integer(2000))
    const copies = await copiesAmong(numbers, undefined, groups)
    for (let division = 0; division < 20; division++) {
      const halfOf = divide(random.fork(String(division)), copies)
      const halves = new Map<string, number>()
      for (const [i, number] of numbers.entries()) {
        for (const key of [`copies of ${number}`, `group ${groups[i]}`]) {
          expect(halfOf(i)).toBe(halves.get(key) ?? halfOf(i))
          halves.set(key, halfOf(i))
        }
      }
    }
  })

  it('change nothing where there are none: halves, evidence and remarks are those of the images', async () => {
    const labels = Array.from({ length: 200 }, (_, i) => i % 3)
    const copies = await copiesAmong([...labels.keys()], labels)
    const place = new Random(3).permutation(200)
    const halfOf = divide(new Random(3), copies)
    expect(labels.map((_, i) => halfOf(i))).toEqual(labels.map((_, i) => (place[i] as number) % 2))
    const values = Float32Array.from(labels, () => new Random(4).uniform())
    expect(meansOfCopies(values, copies)).toEqual(values)
    expect([...copies.distinct]).toEqual([...labels.keys()])
    expect(contradictions(copies, { labels: Int32Array.from(labels), classes })).toBeUndefined()
  })

  it('count once, by their mean', async () => {
    const copies = await copiesAmong([5, 6, 5, 5], [0, 0, 0, 1])
    expect([...meansOfCopies(Float32Array.of(1, 5, 3, 8), copies)]).toEqual([2, 5, 8])
  })

  it('under several labels are told, with those labels', async () => {
    const labels = [0, 2, 1, 1, 0]
    const copies = await copiesAmong([5, 5, 6, 6, 7], labels)
    expect(contradictions(copies, { labels: Int32Array.from(labels), classes })).toBe(
      '2 images have an exact copy under another label (a, c): of each such pair one label is wrong',
    )
  })

  it('leave no tensors behind', async () => {
    const before = liveTensors()
    await copiesAmong([1, 2, 1])
    expect(liveTensors()).toBe(before)
  })
})
