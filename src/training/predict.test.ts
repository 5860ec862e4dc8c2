import { describe, expect, it } from 'vitest'
import { compute, device } from '../../test/device.ts'
import { wrn } from '../models/wrn.ts'
import { moveTo, stateOf } from '../nn/module.ts'
import { Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { full, liveTensors, noGrad } from '../tensor/tensor.ts'
import { imageSet } from './images.ts'
import { loader } from './loader.ts'
import { perSample } from './per-sample.ts'
import { predict, scoreEach } from './predict.ts'

const random = new Random(1)
const count = 21
const set = imageSet({
  pixels: Uint8Array.from({ length: count * 3 * 16 * 16 }, () => random.bits()),
  shape: [3, 16, 16],
  labels: Int32Array.from({ length: count }, (_, i) => i % 4),
  classes: ['a', 'b', 'c', 'd'],
  names: Array.from({ length: count }, String),
})
const build = () => {
  const context = { random: new Random(2), compute, classes: 4, shape: set.shape, normalization: null }
  return moveTo(wrn.build({ depth: 10, width: 0.5 }, context), device)
}

describe('scoreEach', () => {
  it('scores all images in order, whatever the batch, in evaluation mode', () =>
    arena(async () => {
      const model = build()
      const images = loader(set, device)
      const before = Object.values(stateOf(model).tensors).map((tensor) => tensor.numbers())
      const expected = scope(() =>
        noGrad(() =>
          model
            .forward(images.images(Int32Array.from({ length: count }, (_, i) => i)), 'eval')
            .logits.select(1, 2)
            .numbers(),
        ),
      )
      for (const batch of [1, 4, 21, 256]) {
        const scores = await scoreEach(model, images, ({ logits }) => logits.select(1, 2), { batch })
        expect(scores.length).toBe(count)
        for (const [i, score] of scores.entries()) expect(score).toBeCloseTo(expected[i] as number, 4)
      }
      expect(Object.values(stateOf(model).tensors).map((tensor) => tensor.numbers())).toEqual(before)
    }))

  it('hands each batch its labels', () =>
    arena(async () => {
      const scores = await scoreEach(build(), loader(set, device), (_, labels) => labels, { batch: 4 })
      expect([...scores]).toEqual([...set.labels])
    }))

  it('leaves no tensors behind, and no gradients on', () =>
    arena(async () => {
      const model = build()
      const images = loader(set, device)
      const before = liveTensors()
      await scoreEach(model, images, ({ logits, embedding, maps }) => {
        expect([logits, embedding, ...maps].some((tensor) => tensor.requiresGrad)).toBe(false)
        return logits.select(1, 0)
      })
      expect(liveTensors()).toBe(before)
    }))

  it('has nothing to say of no images', () =>
    arena(async () => {
      const empty = imageSet({ ...set, pixels: new Uint8Array(0), labels: new Int32Array(0), names: [] })
      expect(await predict(build(), loader(empty, device))).toEqual(new Int32Array(0))
    }))
})

describe('predict', () => {
  it('gives the class with the largest logit', () =>
    arena(async () => {
      const model = build()
      const images = loader(set, device)
      const classes = await predict(model, images)
      const logits = await Promise.all(
        [0, 1, 2, 3].map((k) => scoreEach(model, images, (output) => output.logits.select(1, k))),
      )
      classes.forEach((k, i) => {
        for (const each of logits) expect(logits[k]?.[i]).toBeGreaterThanOrEqual(each[i] as number)
      })
    }))
})

describe('perSample', () => {
  it('keeps what was set last for each image, 0 before', () =>
    arena(async () => {
      const numbers = perSample(5, device)
      scope(() => {
        numbers.set(Int32Array.of(3, 1), full([2], 2, { device }))
        numbers.set(Int32Array.of(1), full([1], 7, { device }))
      })
      expect([...numbers.read()]).toEqual([0, 7, 0, 2, 0])
      expect(Object.keys(numbers.tensors)).toEqual(['values'])
    }))
})
