import { describe, expect, it } from 'vitest'
import type { Crafted } from '../../attacks/attack.ts'
import { UserError } from '../../errors.ts'
import { Random } from '../../tensor/random.ts'
import { full } from '../../tensor/tensor.ts'
import { type ImageSet, imageSet, pixelsOf } from '../../training/images.ts'
import { poison, triggered } from './poison.ts'

// What holds for every attack is tested in src/attacks/attacks.test.ts; here are an attack's optional parts.

const count = 50
const set = imageSet({
  pixels: Uint8Array.from({ length: count * 4 }, (_, i) => i % 100),
  shape: [1, 2, 2],
  labels: Int32Array.from({ length: count }, (_, i) => i % 5),
  classes: ['a', 'b', 'c', 'd', 'e'],
  names: Array.from({ length: count }, (_, i) => `image ${i}`),
})
const paint =
  (value: bigint): Crafted['trigger'] =>
  (images) =>
    full(images.shape, value, { dtype: 'uint8' })
const attack: Crafted = { trigger: paint(200n), label: () => 2 }
const seeded = (rate: number, seed = 1) => ({ rate, random: new Random(seed) })
const imageAt = (set: ImageSet, i: number) => [...pixelsOf(set, [i])]

describe('poison', () => {
  it('draws from all classes, the target’s included, without replacement', () => {
    const { set: after, truth } = poison(set, attack, seeded(0.6))
    expect(truth.poisoned.length).toBe(30)
    expect(new Set(Array.from(truth.poisoned, (i) => set.labels[i])).size).toBe(5)
    for (const i of truth.poisoned) expect([after.labels[i], imageAt(after, i)]).toEqual([2, [200, 200, 200, 200]])
    expect(truth.covers.length).toBe(0)
  })

  it('draws evenly', () => {
    const times = new Array<number>(count).fill(0)
    for (let seed = 0; seed < 1000; seed++) {
      for (const i of poison(set, { ...attack, trigger: (images) => images.clone() }, seeded(0.1, seed)).truth
        .poisoned) {
        times[i] = (times[i] as number) + 1
      }
    }
    // 100 expected of each, with a deviation of 9.5
    expect(Math.min(...times)).toBeGreaterThan(60)
    expect(Math.max(...times)).toBeLessThan(145)
  })

  it('draws the smaller list as the start of the larger one', () => {
    const small = poison(set, attack, seeded(0.1)).truth.poisoned
    const large = poison(set, attack, seeded(0.5)).truth.poisoned
    for (const i of small) expect(large).toContain(i)
  })

  it('does not pass off a rate that rounds to nothing as poisoning', () => {
    expect(() => poison(set, attack, seeded(0.003))).toThrow(
      'Cannot poison 50 images at a rate of 0.003: that is none of them; raise the rate',
    )
  })

  it('does not pass off a class without images as poisoned', () => {
    const ofNone: Crafted = { ...attack, label: (y) => y, eligible: (y) => y === 7 }
    const draw = { ...seeded(0), classRate: 0.8 }
    expect(() => poison(set, ofNone, draw)).toThrow('none of 50 images is of its class; choose another target')
    expect(poison(set, ofNone, seeded(0)).truth.poisoned.length).toBe(0)
  })

  it('poisons every image at a rate of 1, none at 0', () => {
    expect(poison(set, attack, seeded(1)).truth.poisoned.length).toBe(count)
    const none = poison(set, attack, seeded(0))
    expect(none.truth.poisoned.length).toBe(0)
    expect(none.set.hash).toBe(set.hash)
  })

  it('keeps to the eligible classes, and says how many images they have', () => {
    const clean: Crafted = { ...attack, label: (y) => y, eligible: (y) => y === 3 }
    const { set: after, truth } = poison(set, clean, seeded(0.2))
    expect([...truth.poisoned].every((i) => set.labels[i] === 3)).toBe(true)
    expect([...after.labels]).toEqual([...set.labels])
    expect(() => poison(set, clean, seeded(0.5))).toThrow(UserError)
    expect(() => poison(set, clean, seeded(0.5))).toThrow(
      'Cannot poison 25 of 50 images: the attack has 10 to choose from; lower the rate',
    )
  })

  it('does to training images what the attack does there, told which they are', () => {
    const special: Crafted = {
      ...attack,
      poison: (images, indices) => {
        expect(images.size(0)).toBe(indices.length)
        expect(images.numbers()).toEqual(Array.from(indices).flatMap((i) => imageAt(set, i)))
        return images.fill_(99n)
      },
    }
    const { set: after, truth } = poison(set, special, seeded(0.2))
    for (const i of truth.poisoned) expect(imageAt(after, i)).toEqual([99, 99, 99, 99])
    expect(imageAt(triggered(set, special), 0)).toEqual([200, 200, 200, 200])
  })

  it('covers further images, which keep their label', () => {
    const covering: Crafted = { ...attack, cover: { ratio: 1.5, apply: paint(150n) } }
    const { set: after, truth } = poison(set, covering, seeded(0.2))
    expect([truth.poisoned.length, truth.covers.length]).toEqual([10, 15])
    for (const i of truth.covers) {
      expect(truth.poisoned).not.toContain(i)
      expect([after.labels[i], imageAt(after, i)]).toEqual([set.labels[i], [150, 150, 150, 150]])
    }
    expect(truth.hash).not.toBe(poison(set, attack, seeded(0.2)).truth.hash)
  })

  it('relabels by the original class', () => {
    const { set: after, truth } = poison(set, { ...attack, label: (y) => (y + 1) % 5 }, seeded(0.4))
    for (const i of truth.poisoned) expect(after.labels[i]).toBe(((set.labels[i] as number) + 1) % 5)
    expect(truth.originalLabels).toEqual(set.labels)
  })

  it('gives each image one of the other labels at random where any will do, the same from the same seed', () => {
    const untargeted: Crafted = { ...attack, label: () => null }
    const given = (seed: number, rate = 1) => poison(set, untargeted, seeded(rate, seed)).set.labels
    expect(given(1)).toEqual(given(1))
    expect(given(1)).not.toEqual(given(2))
    const times = new Array<number>(25).fill(0)
    for (let seed = 0; seed < 200; seed++) {
      for (const [i, label] of given(seed).entries()) {
        const cell = 5 * (set.labels[i] as number) + label
        times[cell] = (times[cell] as number) + 1
      }
    }
    // ten images of each class, 200 seeds, four other labels: 500 expected of each, with a deviation of 19
    for (const [cell, count] of times.entries()) {
      if (cell % 6 === 0) expect(count).toBe(0)
      else expect(Math.abs(count - 500)).toBeLessThan(100)
    }
  })

  it('draws an image’s label whatever else is poisoned', () => {
    const untargeted: Crafted = { ...attack, label: () => null }
    const few = poison(set, untargeted, seeded(0.2))
    const all = poison(set, untargeted, seeded(1))
    for (const i of few.truth.poisoned) expect(few.set.labels[i]).toBe(all.set.labels[i])
  })

  it('notices an attack that gives no bytes', () => {
    const floats: Crafted = { ...attack, trigger: (images) => images.to({ dtype: 'float32' }) }
    expect(() => poison(set, floats, seeded(0.2))).toThrow('An attack must give uint8 images, not float32')
  })
})

describe('triggered', () => {
  it('triggers all images, in order and with their labels, and keeps these', () => {
    const seen: number[] = []
    const watching: Crafted = {
      ...attack,
      trigger: (images, labels) => {
        seen.push(...labels)
        return images.add(100n)
      },
    }
    const after = triggered(set, watching)
    expect(seen).toEqual([...set.labels])
    expect(after.labels).toEqual(set.labels)
    expect([...pixelsOf(after)]).toEqual([...pixelsOf(set)].map((value) => value + 100))
  })
})
