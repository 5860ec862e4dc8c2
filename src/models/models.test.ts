import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compute, device } from '../../test/device.ts'
import { smallModels } from '../../test/small.ts'
import { UserError } from '../errors.ts'
import { buildModel, loadModel, type ModelDescription, saveModel } from '../experiment/store/saved-model.ts'
import { type Classifier, splitHead } from '../nn/classifier.ts'
import { crossEntropy } from '../nn/losses.ts'
import { dispose, hasStatistics, stateOf } from '../nn/module.ts'
import { Blank, Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { clearGradients, gradientsOf, liveTensors, noGrad, type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { type ModelName, models } from './index.ts'
import { learningOf, type ModelEntry } from './model.ts'

// The promises every model keeps. A new entry is covered by being in the catalogue.

const folder = mkdtempSync(join(tmpdir(), 'models-'))
afterAll(() => rmSync(folder, { recursive: true }))

const names = Object.keys(models) as ModelName[]
const entryOf = (name: ModelName): ModelEntry => models[name]

/** Other forms of a model, each of which keeps the promises too. */
const variants: Partial<Record<ModelName, Record<string, unknown>>> = {
  resnet: { depth: 50, width: 4, stem: 'large' },
  'preact-resnet': { depth: 34, width: 4, stem: 'large' },
  vgg: { head: 'large' },
  mobilenet: { stem: 'large', dropout: 0 },
  vit: { patch: 7, stochasticDepth: 0 },
  cct: { kernel: 5, convolutions: 2, heads: 2 },
}
const forms: { shape: ImageShape; classes: number }[] = [
  { shape: [3, 32, 32], classes: 10 },
  { shape: [1, 16, 16], classes: 2 },
  { shape: [1, 35, 48], classes: 43 },
  { shape: [4, 33, 17], classes: 1 },
]
const takes = (name: ModelName, [, height, width]: ImageShape) =>
  Math.min(height, width) >= (entryOf(name).smallest ?? 1)
const form = (name: ModelName, more: Record<string, unknown> = {}) => ({ ...smallModels[name], ...more })
const cases = names.flatMap((name) => [
  ...forms.filter(({ shape }) => takes(name, shape)).map((each) => ({ name, options: form(name), ...each })),
  ...(variants[name] ? [{ name, options: form(name, variants[name]), shape: [3, 33, 40] as const, classes: 3 }] : []),
])

/** A description of a model of this form. */
const describeAs = (name: ModelName, shape: ImageShape, options = form(name), classes = 3): ModelDescription => ({
  model: name,
  options,
  classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
  shape,
  normalization: { mean: new Array(shape[0]).fill(0.4), deviation: new Array(shape[0]).fill(0.2) },
  fit: 'cover',
})

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

describe.each(names)('model %s', (name) => {
  const entry = entryOf(name)

  it('has a title, a paper, a way to learn, and a description of every option', () => {
    expect(entry.title).not.toBe('')
    expect(entry.paper).toMatch(/^https:\/\//)
    for (const [option, schema] of Object.entries(entry.options.shape))
      expect((schema as { description?: string }).description, option).toBeTruthy()
    const { rate, weightDecay } = learningOf(entry)
    expect(rate).toBeGreaterThan(0)
    expect(weightDecay).toBeGreaterThanOrEqual(0)
  })

  it('can be built with its own defaults on small and large images', () => {
    const before = liveTensors()
    for (const side of [32, 64, 96, 224]) {
      const context = { random: new Blank('meta'), compute, classes: 10, shape: [3, side, side] as const }
      dispose(scope(() => entry.build(entry.options.parse({}), { ...context, normalization: null })))
    }
    expect(liveTensors()).toBe(before)
  })

  it.each([32, 48, 64, 96, 112])('takes images of %s pixels, one or several', (side) =>
    arena(async () => {
      const model = buildModel(describeAs(name, [3, side, side]), { random: new Random(1), compute })
      scope(() =>
        noGrad(() => {
          const images = new Random(2).uniformTensor([5, 3, side, side]).to({ device })
          const logits = (count: number) => model.forward(images.narrow(0, 0, count), 'eval').logits
          const all = logits(5)
          for (const count of [1, 2])
            expect(
              logits(count)
                .sub(all.narrow(0, 0, count))
                .abs()
                .max()
                .item(),
            ).toBeLessThan(1e-4)
        }),
      )
    }),
  )

  it('refuses images that are too small for it, and says what it needs', () => {
    const smallest = entry.smallest ?? 1
    if (smallest === 1) return
    const shape = [3, smallest, smallest - 1] as const
    expect(() => buildModel(describeAs(name, shape), { random: new Random(1), compute })).toThrow(
      new UserError(
        'usage',
        `Cannot build '${name}' for images of ${smallest - 1}×${smallest} pixels: it needs ${smallest} a side; use larger images, or another --model`,
      ),
    )
  })

  it('learns in bf16 too, where logits stay fp32', () =>
    arena(async () => {
      const bf16 = { ...compute, precision: 'bf16' as const }
      const model = buildModel(describeAs(name, [3, 32, 32]), { random: new Random(1), compute: bf16 })
      scope(() => {
        const images = new Random(2).uniformTensor([4, 3, 32, 32]).to({ device })
        const { logits, embedding } = model.forward(images, 'train')
        expect([logits.dtype, embedding.dtype]).toEqual(['float32', 'float32'])
        logits.square().mean().backward()
        const gradients = gradientsOf(Object.values(model.parameters))
        for (const each of gradients) expect(Number.isFinite(each?.sum().item())).toBe(true)
        clearGradients(Object.values(model.parameters))
      })
    }))
})

describe.each(cases)('model $name $options on images of $shape in $classes classes', (each) => {
  const { name, options, shape, classes } = each
  const of = describeAs(name, shape, options, classes)
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
      const statistics = Object.keys(model.buffers).filter((key) => key.includes('running_'))
      expect(statistics.length > 0).toBe(hasStatistics(model))
      scope(() => {
        const first = logits(model, 'eval')
        expect(logits(model, 'eval')).toEqual(first)
        expect(weights(model)).toEqual(before)
        logits(model, 'train')
        const changed = weights(model).filter(([, value], i) => value !== before[i]?.[1])
        expect(changed.map(([key]) => key).sort()).toEqual(statistics.sort())
        if (hasStatistics(model)) expect(logits(model, 'eval')).not.toEqual(first)
        else expect(logits(model, 'eval')).toEqual(first)
      })
    }))

  it('answers each image by itself in evaluation, and in training by its batch where it has statistics', () =>
    arena(async () => {
      const model = build()
      const start = stateOf(model).plain?.()
      scope(() => {
        const other = images(3)
        const mixed = noGrad(() => {
          const own = images().clone()
          own.narrow(0, 1, batch - 1).copy_(other.narrow(0, 1, batch - 1))
          return own
        })
        const first = (x: Tensor, mode: 'train' | 'eval') => {
          stateOf(model).restore?.(start) // the same masks
          return logits(model, mode, x).slice(0, classes)
        }
        const apart = (mode: 'train' | 'eval') => {
          const [own, beside] = [first(images(), mode), first(mixed, mode)]
          const difference = Math.max(...own.map((each, k) => Math.abs(each - (beside[k] as number))))
          return difference / Math.max(...own.map(Math.abs))
        }
        expect(apart('eval')).toBeLessThan(1e-4)
        if (hasStatistics(model)) expect(apart('train')).toBeGreaterThan(1e-3)
        else expect(apart('train')).toBeLessThan(1e-4)
      })
    }))

  it('draws other masks in each training pass, if any, and the same ones again from where it stood', () =>
    arena(async () => {
      const [model, other] = [build(), build()]
      const state = stateOf(model)
      scope(() => {
        const first = logits(model, 'train')
        const stood = state.plain?.()
        const second = logits(model, 'train')
        if (!state.restore) return expect(second).toEqual(first)
        state.restore(JSON.parse(JSON.stringify(stood)))
        expect(logits(model, 'train')).toEqual(second)
        expect(logits(other, 'train')).toEqual(first)
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
