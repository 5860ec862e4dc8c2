import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, it } from 'vitest'
import { compute, device } from '../../test/device.ts'
import { datasets } from '../datasets/index.ts'
import type { ModelName } from '../models/index.ts'
import { usualNormalizations } from '../models/model.ts'
import type { Classifier } from '../nn/classifier.ts'
import { stateOf } from '../nn/module.ts'
import { Random } from '../tensor/random.ts'
import { formatSafetensors, type StoredTensor } from '../tensor/safetensors.ts'
import { arena } from '../tensor/scope.ts'
import { noCheckpoints } from '../training/checkpoint.ts'
import { imageSet } from '../training/images.ts'
import { classify, detect, evaluate, run } from './api.ts'
import { defend } from './prepare/defend.ts'
import { silent } from './prepare/listener.ts'
import { openTrainingContext } from './prepare/training-context.ts'
import { resolveConfig } from './settings/config.ts'
import { buildModel, loadModel, type ModelDescription, saveModel, shapesOf } from './store/saved-model.ts'
import { recognizeWeights } from './store/weights.ts'

// Weights from elsewhere: what networks begin with, and models in themselves.

const home = mkdtempSync(join(tmpdir(), 'weights-'))
afterAll(() => rmSync(home, { recursive: true }))

const small = { depth: 18, width: 4, stem: 'small' } as const
const machine = { device, precision: 'fp32', threads: 1 } as const

const form = (more: Partial<ModelDescription> = {}): ModelDescription => ({
  model: 'resnet',
  options: small,
  classes: Array.from({ length: 10 }, (_, k) => `there ${k}`),
  shape: [3, 32, 32],
  normalization: null,
  fit: 'cover',
  ...more,
})

const valuesOf = (model: Classifier) =>
  Object.fromEntries(Object.entries(stateOf(model).tensors).map(([name, tensor]) => [name, tensor.numbers()]))

/** A file as torchvision saves one: its names, with the counters of batch norms; and the values in it. */
function torchvisionFile(
  name: string,
  { of = form(), wrapper = '', without = [] as string[], extra = [] as string[], seed = 5 } = {},
) {
  return arena(async () => {
    const model = buildModel(of, { random: new Random(seed), compute })
    const stored = Object.entries(stateOf(model).tensors).map(([key, { dtype, shape, ...tensor }]) => [
      key,
      { dtype, shape, bytes: (stateOf(model).tensors[key] as { bytes(): Uint8Array }).bytes(), tensor },
    ]) as unknown as [string, StoredTensor][]
    const count: StoredTensor = { dtype: 'int64', shape: [], bytes: new Uint8Array(8) }
    const more = extra.map((key): [string, StoredTensor] => [
      key,
      { dtype: 'float32', shape: [1], bytes: new Uint8Array(4) },
    ])
    const kept = stored
      .filter(([key]) => !without.includes(key))
      .map(([key, { dtype, shape, bytes }]) => [key, { dtype, shape, bytes }] as const)
    const tensors = [...kept, ['bn1.num_batches_tracked', count] as const, ...more].map(
      ([key, tensor]) => [wrapper + key, tensor] as const,
    )
    const path = join(home, name)
    writeFileSync(path, Buffer.concat(formatSafetensors({ tensors, metadata: [['format', 'pt']] })))
    return { path, values: valuesOf(model) }
  })
}

const images = imageSet({
  pixels: Uint8Array.from({ length: 24 * 3072 }, (_, i) => (i * 7919) % 256),
  shape: [3, 32, 32],
  labels: Int32Array.from({ length: 24 }, (_, i) => i % 4),
  classes: ['a', 'b', 'c', 'd'],
  names: Array.from({ length: 24 }, (_, i) => `${i}`),
})

const settings = (weights: string, more: Record<string, unknown> = {}) =>
  resolveConfig({
    model: 'resnet',
    'model.width': 4,
    'model.weights': weights,
    epochs: 1,
    batch: 8,
    ...machine,
    ...more,
  })

/** A training context on the images, and what it said. */
function opened(config: ReturnType<typeof settings>, of = images) {
  const said: string[] = []
  const context = openTrainingContext(config, of, {
    compute,
    random: new Random(1),
    checkpoints: noCheckpoints,
    reporter: { ...silent, say: (line) => void said.push(line) },
  })
  return { context, said }
}

describe('networks that begin with weights from elsewhere', () => {
  it.each(['', 'module.'])('take all but the head, and say so; names begin with %o', (wrapper) =>
    arena(async () => {
      const { path, values } = await torchvisionFile('resnet.safetensors', { wrapper, extra: ['aux.weight'] })
      const { context, said } = opened(settings(path))
      const model = context.model('any')
      const own = valuesOf(model)
      for (const [name, value] of Object.entries(values)) {
        if (name.startsWith('fc.')) expect(own[name]).not.toEqual(value)
        else expect(own[name], name).toEqual(value)
      }
      expect(context.describe(model).normalization).toEqual(usualNormalizations.imagenet)
      expect(context.describe(model).options).toEqual({ depth: 18, width: 4, stem: 'auto' })
      expect(said.join('\n')).toContain(`${Object.keys(values).length - 2} tensors are taken`)
      expect(said).toContain('the last layer is fresh: 4 classes here, 10 there')
      expect(said).toContain('1 tensors are left out, whose names the model does not have: aux.weight')
      expect(said).toContain(
        'pixels in [0, 1] less 0.485 0.456 0.406, divided by 0.229 0.224 0.225 (--model.normalization)',
      )
      context.close()
    }),
  )

  it('take the head too where the classes are as many', () =>
    arena(async () => {
      const { path, values } = await torchvisionFile('four.safetensors', { of: form({ classes: images.classes }) })
      const { context, said } = opened(settings(path))
      expect(valuesOf(context.model('any'))['fc.weight']).toEqual(values['fc.weight'])
      expect(said).toContain('the last layer is taken too')
      context.close()
    }))

  it('take what was saved here with its normalization, and a head of other names not', () =>
    arena(async () => {
      const normalization = { mean: [0.1, 0.2, 0.3], deviation: [0.4, 0.5, 0.6] }
      const of = form({
        model: 'wrn',
        options: { depth: 10, width: 0.5 },
        normalization,
        classes: ['a', 'b', 'c', 'z'],
      })
      const path = join(home, 'ours.safetensors')
      const saved = buildModel(of, { random: new Random(8), compute })
      saveModel(path, saved, of)
      const wrn = { model: 'wrn', 'model.depth': 10, 'model.width': 0.5, 'model.weights': path, ...machine }
      const { context, said } = opened(resolveConfig(wrn))
      const model = context.model('any')
      expect(valuesOf(model)['stem.weight']).toEqual(valuesOf(saved)['stem.weight'])
      expect(valuesOf(model)['linear.weight']).not.toEqual(valuesOf(saved)['linear.weight'])
      expect(context.describe(model).normalization).toEqual(normalization)
      expect(said).toContain('the last layer is fresh: the classes there have other names')
      context.close()
    }))

  it.each([
    ['half', usualNormalizations.half.mean],
    ['data', undefined],
  ] as const)('are normalized as the user says: %s', (name, mean) =>
    arena(async () => {
      const { path } = await torchvisionFile('resnet.safetensors')
      const { context } = opened(settings(path, { 'model.normalization': name }))
      const own = context.describe(context.model('any')).normalization
      if (mean) expect(own?.mean).toEqual(mean)
      else expect(own?.mean[0]).toBeCloseTo(127.5 / 255, 1)
      context.close()
    }),
  )

  it('are those of every defense, and of the model that it repairs', () =>
    arena(async () => {
      const { path, values } = await torchvisionFile('resnet.safetensors')
      // At a learning rate of nearly 0 the backdoored model is what it began with.
      const config = settings(path, {
        defense: 'fine-pruning',
        'learning-rate': 1e-12,
        'weight-decay': 0,
        'defense.epochs': 0,
      })
      let seen: number[] | undefined
      const { beginning } = await defend(config, images, {
        clean: images,
        compute,
        random: new Random(1),
        checkpoints: noCheckpoints,
        reporter: silent,
        async onBackdoored(model) {
          seen = valuesOf(model)['conv1.weight']
        },
      })
      const away = (seen ?? []).map((value, i) => Math.abs(value - (values['conv1.weight']?.[i] ?? 0)))
      expect(away.length).toBe(values['conv1.weight']?.length)
      expect(Math.max(...away)).toBeLessThan(1e-9)
      expect(beginning?.source).toBe('trained elsewhere')
    }))

  it.each<[string, Partial<ModelDescription>, Record<string, unknown>, string]>([
    [
      'a deeper network',
      { options: { ...small, depth: 34 } },
      {},
      "its 'layer1.2.bn1.bias' has no place; it holds the weights of --model resnet --model.depth 34 --model.width 4 --model.stem small: give these",
    ],
    [
      'a shallower one',
      {},
      { 'model.depth': 34 },
      "'layer1.2.conv1.weight' is not in it; it holds the weights of --model resnet --model.width 4 --model.stem small: give these",
    ],
    [
      'a larger first layer',
      { options: { ...small, stem: 'large' } },
      {},
      "its 'conv1.weight' is [4, 3, 7, 7], and [4, 3, 3, 3] is needed; it holds the weights of --model resnet --model.width 4 --model.stem large: give these",
    ],
    [
      'another architecture',
      { model: 'wrn', options: { depth: 16, width: 1 } },
      {},
      "'conv1.weight' is not in it; it holds the weights of --model wrn: give these",
    ],
  ])('are refused where they are of %s', (_, of, more, message) =>
    arena(async () => {
      const { path } = await torchvisionFile('other.safetensors', { of: form(of) })
      expect(() => opened(settings(path, more))).toThrow(`Cannot begin with '${path}' in model 'resnet': ${message}`)
    }),
  )

  it('are refused where the file is none, is damaged, or holds something else than it did', () =>
    arena(async () => {
      const text = join(home, 'weights.pth')
      writeFileSync(text, 'PK and a pickle')
      expect(() => opened(settings(text))).toThrow('it is no safetensors file; save the weights as one')
      expect(() => settings(join(home, 'nowhere'))).toThrow(
        'there is no such file; give another one by --model.weights',
      )
      const { path } = await torchvisionFile('resnet.safetensors')
      const config = settings(path)
      await torchvisionFile('resnet.safetensors', { seed: 6 })
      expect(() => opened(config)).toThrow(/: it holds sha256-\w{16}, and sha256-\w{16} is asked for; restore the file/)
      const gray = imageSet({ ...images, shape: [1, 32, 96] })
      expect(() => opened(settings(path, { 'model.normalization': 'imagenet' }), gray)).toThrow('is needed')
    }))
})

describe('an experiment that begins with weights', () => {
  const tiny = { dataset: 'signs', 'dataset.train': 40, 'dataset.test': 20, epochs: 1, batch: 20, ...machine } as const

  it('records by content what they were, and repeats itself wherever they lie', async () => {
    const { path } = await torchvisionFile('resnet.safetensors')
    const of = { ...tiny, model: 'resnet', 'model.width': 4, 'model.weights': path } as const
    const first = await run(of, { runs: join(home, 'runs') })
    expect(first.beginning).toMatchObject({
      source: 'trained elsewhere',
      newHead: '12 classes here, 10 there',
      unknown: [],
    })
    const config = readFileSync(join(first.run, 'config.yaml'), 'utf8')
    expect(config).toContain(`model.weights: ${path}`)
    expect(config).toContain(`model.weights-hash: ${first.beginning?.hash}`)
    const { normalization } = loadModel(join(first.run, 'model.safetensors'), compute).description
    expect(normalization).toEqual(usualNormalizations.imagenet)
    expect(readFileSync(join(first.run, 'model.safetensors'), 'latin1').slice(0, 5000)).not.toContain(home)
  })
})

describe('the catalogue of models', () => {
  const forms: Readonly<Record<ModelName, readonly object[]>> = {
    wrn: [{ depth: 10 }, { depth: 22, width: 2 }],
    resnet: [18, 34, 50].flatMap((depth) => [{ depth }, { depth, stem: 'large', width: 8 }]),
    'preact-resnet': [{ depth: 18 }, { depth: 34, stem: 'large' }],
    vgg: [11, 13, 16, 19].flatMap((depth) => [
      { depth, width: 8 },
      { depth, width: 4, head: 'large', hidden: 32 },
    ]),
    mobilenet: [{}, { width: 0.35 }, { width: 1.4 }],
    vit: [{}, { patch: 8, depth: 3, width: 384, heads: 6 }],
    cct: [{}, { depth: 2, width: 128, heads: 2, convolutions: 2, kernel: 7, expansion: 1 }],
  }
  const cases = (Object.keys(forms) as ModelName[]).flatMap((model) =>
    forms[model].map((options) => ({ model, options })),
  )

  it.each(cases)('recognizes the weights of $model $options by names and shapes', ({ model, options }) => {
    const of = form({ model, options: { ...options } })
    const { shapes, head } = shapesOf(of, compute)
    const stored = new Map(
      Array.from(shapes, ([name, shape]) => [name, { dtype: 'float32', shape, bytes: new Uint8Array() }] as const),
    )
    const found = recognizeWeights(stored)
    expect(found).toMatchObject({ model, classes: 10, channels: 3, ...(found?.size && { size: 32 }) })
    expect(shapesOf(form({ model, options: found?.options ?? {} }), compute)).toEqual({ shapes, head })
  })

  it('recognizes nothing in weights of other names', () => {
    const other = { dtype: 'float32', shape: [4, 3, 3, 3], bytes: new Uint8Array() } as const
    for (const name of ['a.weight', 'conv1.weight', 'features.0.weight', 'classifier.weight', 'head.weight'])
      expect(recognizeWeights(new Map([[name, other]]))).toBeNull()
  })
})

describe('a model that was trained elsewhere', () => {
  const tiny = { dataset: 'signs', 'dataset.train': 40, 'dataset.test': 24, ...machine } as const
  const of = form({ classes: Array.from({ length: 12 }, (_, k) => `${k}`) })
  const foreign = () => torchvisionFile('foreign.safetensors', { of })

  it('is measured as ours are, its classes those of the data', async () => {
    const { path } = await foreign()
    const options = { size: 32, normalization: 'half' } as const
    const theirs = await evaluate(path, { ...tiny, attack: 'badnets' }, options)
    expect(theirs.cleanImages).toBe(24)
    // The same weights as a model of ours, whose normalization and classes are said in its file.
    const ours = join(home, 'same.safetensors')
    const { classes } = await signs()
    await arena(async () => {
      const { model, description } = loadModel(path, compute, options)
      const { nameless: _, ...same } = description
      saveModel(ours, model, { ...same, classes })
    })
    const again = await evaluate(ours, { ...tiny, attack: 'badnets' })
    expect(again.cleanAccuracyPerClass).toEqual(theirs.cleanAccuracyPerClass)
    expect(again.attackSuccessRate).toEqual(theirs.attackSuccessRate)
  })

  it('classifies files into classes by the names it is given, or by their numbers', async () => {
    const { path } = await foreign()
    const classes = of.classes.map((name) => `sort ${name}`)
    const photo = join(home, 'photo.png')
    await sharp({ create: { width: 50, height: 40, channels: 3, background: 'red' } })
      .png()
      .toFile(photo)
    const [named] = await classify(path, [photo], { size: 32, classes, top: 12, ...onHost })
    const [numbered] = await classify(path, [photo], { size: 32, ...onHost })
    expect(named?.class).toBe(`sort ${numbered?.class}`)
    expect(named?.guesses.map((guess) => guess.class).sort()).toEqual([...classes].sort())
  })

  it('looks for poison in place of the run’s own model', async () => {
    const { path } = await foreign()
    const { run: folder } = await run(
      { ...tiny, attack: 'badnets', rate: 0.2, epochs: 1, batch: 20, 'model.depth': 10 },
      { runs: join(home, 'runs') },
    )
    const found = await detect(folder, { detector: 'spectral-signatures', model: path }, { size: 32 })
    expect([found.model, found.images]).toEqual([path, 40])
    await expect(detect(folder, { detector: 'spectral-signatures', model: path })).rejects.toThrow(
      'it takes 12 classes of 3×224×224, the run had 12 of 3×32×32; give a model of the same classes and --size',
    )
  })

  it('is refused where its names are not known, its classes are more or fewer, or it says itself how it is read', async () => {
    const { path } = await foreign()
    const read = (file: string, reading = {}) => arena(async () => loadModel(file, compute, reading).description)
    await expect(read(path, { classes: ['a'] })).rejects.toThrow('it tells 12 classes apart, and 1 names are given')
    const { path: strange } = await torchvisionFile('strange.safetensors', { of, wrapper: 'strange.' })
    await expect(read(strange)).rejects.toThrow(
      'its names are those of no model that is known by them (wrn, resnet, preact-resnet, vgg, mobilenet, vit, cct)',
    )
    const { path: lacking } = await torchvisionFile('lacking.safetensors', { of, without: ['bn1.bias'] })
    await expect(read(lacking)).rejects.toMatchObject({ code: 3 })
    const { path: huge } = await torchvisionFile('huge.safetensors', {
      of,
      without: ['conv1.weight'],
      extra: ['conv1.weight'],
    })
    await expect(read(huge)).rejects.toMatchObject({ code: 3 })
    const ours = join(home, 'own.safetensors')
    await arena(async () => void saveModel(ours, buildModel(of, { random: new Random(1), compute }), of))
    await expect(read(ours, { size: 64 })).rejects.toThrow('with --size: the model says that itself; leave it out')
  })
})

const onHost = { device, threads: 1 }
const signs = async () =>
  (await datasets.signs.load({ train: 40, test: 24 }, { data: undefined, seed: 1, progress() {} })).train
