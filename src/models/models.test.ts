import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compute, device } from '../../test/device.ts'
import { buildModel, loadModel, type ModelDescription, saveModel } from '../experiment/store/saved-model.ts'
import { type Classifier, splitHead } from '../nn/classifier.ts'
import { crossEntropy } from '../nn/losses.ts'
import { dispose, stateOf } from '../nn/module.ts'
import { Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { clearGradients, gradientsOf, liveTensors, noGrad, type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { type ModelName, models } from './index.ts'

// The promises every model keeps. A new entry is covered by being in the catalogue.

const folder = mkdtempSync(join(tmpdir(), 'models-'))
afterAll(() => rmSync(folder, { recursive: true }))

const names = Object.keys(models) as ModelName[]
const forms: { shape: ImageShape; classes: number }[] = [
  { shape: [3, 32, 32], classes: 10 },
  { shape: [1, 16, 16], classes: 2 },
  { shape: [3, 24, 40], classes: 43 },
  { shape: [4, 33, 17], classes: 1 },
]
const cases = names.flatMap((name) => forms.map((form) => ({ name, ...form })))

describe('the catalogue of models', () => {
  it('has every entry in the folder, under its file’s name', async () => {
    const files = readdirSync(new URL('.', import.meta.url)).filter((file) => /^(?!.*\.test\.).*\.ts$/.test(file))
    const entries = files.filter((file) => !['index.ts', 'model.ts'].includes(file)).map((file) => file.slice(0, -3))
    expect(entries.sort()).toEqual([...names].sort())
    for (const name of names) {
      const exported = Object.values((await import(/* @vite-ignore */ `../models/${name}.ts`)) as object)
      expect(exported).toContain(models[name])
    }
  })
})

describe.each(cases)('model $name on images of $shape in $classes classes', ({ name, shape, classes }) => {
  const of: ModelDescription = {
    model: name,
    options: {},
    classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
    shape,
    normalization: { mean: new Array(shape[0]).fill(0.4), deviation: new Array(shape[0]).fill(0.2) },
    fit: 'cover',
  }
  const build = (seed = 1, more: Partial<ModelDescription> = {}) =>
    buildModel({ ...of, ...more }, { random: new Random(seed), compute })
  const batch = 4
  const images = (seed = 2) => new Random(seed).uniformTensor([batch, ...shape]).to({ device })
  const labels = () =>
    tensor(
      Int32Array.from({ length: batch }, (_, i) => i % classes),
      [batch],
      'int64',
    ).to({ device })
  const weights = (model: Classifier) =>
    Object.entries(stateOf(model).tensors).map(([key, value]) => [key, Buffer.from(value.bytes()).toString('base64')])
  const logits = (model: Classifier, mode: 'train' | 'eval', x = images()) =>
    noGrad(() => model.forward(x, mode).logits.numbers())

  it('has a title, a paper, and a description of every option', () => {
    const entry = models[name]
    expect(entry.title).not.toBe('')
    expect(entry.paper).toMatch(/^https:\/\//)
    for (const [option, schema] of Object.entries(entry.options.shape))
      expect((schema as { description?: string }).description, option).toBeTruthy()
  })

  it('answers with logits, the embedding they are a linear function of, and maps', () =>
    arena(async () => {
      const model = build()
      scope(() => {
        for (const mode of ['train', 'eval'] as const) {
          const { logits, embedding, maps } = model.forward(images(), mode)
          expect([logits.shape, logits.dtype]).toEqual([[batch, classes], 'float32'])
          expect([embedding.shape, embedding.dtype]).toEqual([[batch, model.embeddingWidth], 'float32'])
          expect(maps.length).toBeGreaterThan(0)
          for (const { shape } of maps) {
            expect([shape.length, shape[0]]).toEqual([4, batch])
            expect(Math.min(...shape)).toBeGreaterThan(0)
          }
          expect(model.head.shape).toEqual([classes, model.embeddingWidth])
          const again = splitHead(model).head.forward(embedding)
          expect(again.sub(logits).abs().max().item()).toBeLessThan(1e-4)
          expect(logits.numbers().every(Number.isFinite)).toBe(true)
        }
      })
    }))

  it('learns with all of its parameters, and splits into a body and a head without loss', () =>
    arena(async () => {
      const model = build()
      const parameters = Object.entries(model.parameters)
      scope(() => {
        // Of one class the cross entropy is 0 whatever the logits.
        const { logits } = model.forward(images(), 'train')
        const loss = classes > 1 ? crossEntropy(logits, labels()) : logits.square().mean()
        loss.backward()
        const gradients = gradientsOf(parameters.map(([, each]) => each))
        for (const [i, [key, parameter]] of parameters.entries()) {
          expect(gradients[i]?.shape, key).toEqual(parameter.shape)
          expect(gradients[i]?.abs().sum().item(), key).toBeGreaterThan(0)
        }
        clearGradients(parameters.map(([, each]) => each))
      })
      const { body, head } = splitHead(model)
      const parts = [...Object.values(body), head.parameters.weight, head.parameters.bias]
      expect(new Set(parts)).toEqual(new Set(Object.values(model.parameters)))
      expect(Object.values(body)).not.toContain(model.head)
    }))

  it('changes nothing of itself in evaluation, and in training its running statistics alone', () =>
    arena(async () => {
      const model = build()
      const before = weights(model)
      const buffers = Object.keys(model.buffers)
      scope(() => {
        const first = logits(model, 'eval')
        expect(logits(model, 'eval')).toEqual(first)
        expect(weights(model)).toEqual(before)
        logits(model, 'train')
        const changed = weights(model).filter(([, value], i) => value !== before[i]?.[1])
        expect(changed.length).toBeGreaterThan(0)
        for (const [key] of changed) expect(buffers).toContain(key)
        expect(logits(model, 'eval')).not.toEqual(first)
      })
    }))

  it('answers each image by itself in evaluation, and by its batch in training', () =>
    arena(async () => {
      const model = build()
      scope(() => {
        const other = images(3)
        const mixed = noGrad(() => {
          const own = images().clone()
          own.narrow(0, 1, batch - 1).copy_(other.narrow(0, 1, batch - 1))
          return own
        })
        const first = (x: Tensor, mode: 'train' | 'eval') => logits(model, mode, x).slice(0, classes)
        const apart = (mode: 'train' | 'eval') => {
          const [own, beside] = [first(images(), mode), first(mixed, mode)]
          return Math.max(...own.map((each, k) => Math.abs(each - (beside[k] as number))))
        }
        expect(apart('eval')).toBeLessThan(1e-4)
        expect(apart('train')).toBeGreaterThan(1e-3)
      })
    }))

  it('has the same weights from the same seed, and others from another', () =>
    arena(async () => {
      const [a, b, other] = [build(1), build(1), build(2)].map(weights)
      expect(a).toEqual(b)
      expect(other).not.toEqual(a)
    }))

  it('takes its normalization to heart, and none', () =>
    arena(async () => {
      const [normalized, plain] = [build(), build(1, { normalization: null })]
      scope(() => {
        expect(logits(plain, 'eval', images().sub(0.4).div(0.2))).toEqual(logits(normalized, 'eval'))
        expect(logits(plain, 'eval')).not.toEqual(logits(normalized, 'eval'))
      })
    }))

  it('gives the same answers when it is saved and loaded', () =>
    arena(async () => {
      const model = build()
      scope(() => logits(model, 'train')) // so that its statistics are some
      const path = join(folder, `${name}.safetensors`)
      saveModel(path, model, of)
      const loaded = loadModel(path, compute)
      expect(loaded.description).toEqual(of)
      expect(weights(loaded.model)).toEqual(weights(model))
      scope(() => expect(logits(loaded.model, 'eval')).toEqual(logits(model, 'eval')))
    }))

  it('leaves no tensors behind', () => {
    const before = liveTensors()
    scope(() => {
      const model = build()
      for (const mode of ['train', 'eval'] as const) scope(() => model.forward(images(), mode))
      dispose(model)
    })
    expect(liveTensors()).toBe(before)
  })
})
