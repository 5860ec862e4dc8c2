import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { device } from '../../test/device.ts'
import { quickDefenses } from '../../test/small.ts'
import { datasets } from '../datasets/index.ts'
import { exitCode, UserError } from '../errors.ts'
import { craftAttack } from '../experiment/prepare/craft.ts'
import { defend } from '../experiment/prepare/defend.ts'
import { silent } from '../experiment/prepare/listener.ts'
import type { Truth } from '../experiment/prepare/poison.ts'
import { resolveConfig } from '../experiment/settings/config.ts'
import type { Classifier } from '../nn/classifier.ts'
import { stateOf } from '../nn/module.ts'
import { native } from '../tensor/native.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { liveTensors } from '../tensor/tensor.ts'
import { type Checkpoints, checkpointFolder, noCheckpoints } from '../training/checkpoint.ts'
import { type ImageSet, imageSet, pixelsOf, subset } from '../training/images.ts'
import { loader } from '../training/loader.ts'
import { scoreEach } from '../training/predict.ts'
import { quiet } from '../training/reporter.ts'
import type { Recipe } from '../training/training-context.ts'
import type { DefenderView, DefenseEntry } from './defense.ts'
import { type DefenseName, defenses } from './index.ts'

// The promises every defense keeps. A new entry is covered by being in the catalogue.

/** Everything a defense may see, and nothing else. The types make sure that both lists are complete. */
const allowed: Record<keyof DefenderView, true> = {
  images: true,
  classes: true,
  recipe: true,
  compute: true,
  random: true,
  model: true,
  stage: true,
  pause: true,
  trace: true,
  portray: true,
  clean: true,
  backdoored: true,
  say: true,
}
const allowedRecipe: Record<keyof Recipe, true> = {
  epochs: true,
  batch: true,
  rate: true,
  schedule: true,
  optimizer: true,
  rateShare: true,
  momentum: true,
  weightDecay: true,
  nesterov: true,
  augmentation: true,
}

type Context = Parameters<typeof defend>[2]

/** Fills a tensor behind the back of its owner. */
const fill = (tensor: number, value: number) => native().call(native().find('fill_.Scalar')[0], tensor, value)

liveTensors() // loads the addon from the real cache, before what is learned goes to one of its own
const folders: string[] = []
process.env.XDG_CACHE_HOME = mkdtempSync(join(tmpdir(), 'defenses-cache-'))
folders.push(process.env.XDG_CACHE_HOME)
const freshFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'defenses-'))
  folders.push(folder)
  return folder
}
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

const names = Object.keys(defenses) as DefenseName[]
const cases = names.flatMap((name) => Object.keys(defenses[name].presets).map((preset) => ({ name, preset })))

const configure = ({ name, preset }: { name: DefenseName; preset: string }, more: Record<string, unknown> = {}) =>
  resolveConfig({
    dataset: 'signs',
    defense: name,
    preset,
    epochs: 2,
    batch: 32,
    device,
    precision: 'fp32',
    threads: 1,
    'model.depth': 10,
    ...quickDefenses[name],
    ...more,
  })

/** The same promise each time. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= make()
    return result
  }
}

const made = new Map<number, Promise<{ set: ImageSet; truth: Truth }>>()
/** Poisoned signs at half their size, and what the experiment knows of them. */
function signs(count = 80): Promise<{ set: ImageSet; truth: Truth }> {
  const known = made.get(count) ?? arena(() => drawSigns(count))
  made.set(count, known)
  return known
}

function halved(large: ImageSet): ImageSet {
  const pixels = pixelsOf(large).filter((_, i) => i % 2 === 0 && (i >> 5) % 2 === 0)
  return imageSet({ ...large, pixels, shape: [3, 16, 16] })
}

async function drawSigns(count: number): Promise<{ set: ImageSet; truth: Truth }> {
  const large = (await datasets.signs.load({ train: count, test: 12 }, { data: undefined, seed: 1, progress() {} }))
    .train
  const train = halved(large)
  const config = resolveConfig({ attack: 'badnets', rate: 0.1, target: 0 })
  const atelier = { compute: { device, precision: 'fp32', threads: 1 } as const, listener: silent }
  return (await craftAttack(config, train, atelier)).poison()
}

/** Signs of other seeds, which nobody touched. */
const trusted = await arena(async () => {
  const { train } = await datasets.signs.load({ train: 24, test: 12 }, { data: undefined, seed: 9, progress() {} })
  return halved(train)
})

const around = (more: Partial<Context> = {}): Context => ({
  clean: trusted,
  compute: { device, precision: 'fp32', threads: 1 },
  random: new Random(3),
  checkpoints: noCheckpoints,
  reporter: quiet,
  ...more,
})

/** A hash over all weights, bit by bit. */
function hash(model: Classifier): string {
  const digest = createHash('sha256')
  for (const [name, tensor] of Object.entries(stateOf(model).tensors)) digest.update(name).update(tensor.bytes())
  return digest.digest('hex')
}

/** All values reachable from a record, functions' insides aside. */
function reachable(value: unknown, seen = new Set<unknown>()): Set<unknown> {
  if (typeof value !== 'object' || value === null || seen.has(value)) return seen
  seen.add(value)
  if (ArrayBuffer.isView(value)) return seen
  const inside = value instanceof Set || value instanceof Map ? [...value.entries()] : Object.values(value)
  for (const each of inside) reachable(each, seen)
  return seen
}

/** Numbers in a list of any kind as a text, by which copies of it are found; a text of its own for anything else. */
function listed(value: unknown): string {
  const numbers =
    ArrayBuffer.isView(value) && !(value instanceof DataView) ? value : value instanceof Set ? [...value] : value
  const list = Array.isArray(numbers) || ArrayBuffer.isView(numbers) ? Array.from(numbers as Int32Array) : []
  return list.length > 0 ? list.join() : 'no list'
}

describe('the catalogue of defenses', () => {
  it('has every entry in the folder, under its file’s name', async () => {
    const files = readdirSync(new URL('.', import.meta.url)).filter((file) => /^(?!.*\.test\.).*\.ts$/.test(file))
    for (const file of files.filter((file) => !['index.ts', 'defense.ts'].includes(file))) {
      const name = file.slice(0, -3)
      const exported = Object.values(
        (await import(/* @vite-ignore */ `../defenses/${name}.ts`)) as Record<string, unknown>,
      )
      const isEntry = (value: unknown) => typeof value === 'object' && value !== null && 'train' in value
      for (const value of exported.filter(isEntry))
        expect((defenses as Record<string, unknown>)[name], file).toBe(value)
    }
    for (const name of names) expect(files).toContain(`${name}.ts`)
  })
})

describe.each(cases)('defense $name, preset $preset', ({ name, preset }) => {
  const entry = defenses[name] as unknown as DefenseEntry
  const run = (set: ImageSet, more?: Partial<Context>, config?: Record<string, unknown>) =>
    defend(configure({ name, preset }, config), set, around(more))
  /** What an uninterrupted run gives. */
  const straight = once(() =>
    arena(async () => {
      const { classifier, suspicion } = await run((await signs()).set)
      return { hash: hash(classifier), suspicion }
    }),
  )

  it('has a title, a paper, and a description of every option', () => {
    expect(entry.title).not.toBe('')
    if (!['none', 'deconfound'].includes(name)) expect(entry.paper).toMatch(/^https:\/\//)
    for (const [option, schema] of Object.entries(entry.options.shape)) {
      expect((schema as { description?: string }).description, option).toBeTruthy()
    }
  })

  it('sees what a defender may see, and no truth', () =>
    arena(async () => {
      const { set, truth } = await signs()
      let seen: DefenderView | undefined
      const train = vi.spyOn(entry, 'train').mockImplementation(async (_, view) => {
        seen = view
        return { classifier: view.model('model') }
      })
      await run(set)
      expect(train).toHaveBeenCalledOnce()
      const view = seen as DefenderView
      expect(Object.keys(view).sort()).toEqual(Object.keys(allowed).sort())
      expect(Object.keys(view.recipe).sort()).toEqual(Object.keys(allowedRecipe).sort())
      expect(Object.keys(view.images).sort()).toEqual([
        'ahead',
        'count',
        'free',
        'images',
        'labels',
        'labelsOf',
        'shape',
      ])
      expect([...view.images.labels]).toEqual([...set.labels])
      const secrets = [truth, truth.poisoned, truth.covers, truth.originalLabels].filter(
        (each) => 'hash' in each || each.length > 0,
      )
      const own = secrets.map(listed).filter((list) => list !== 'no list')
      expect(own.length).toBeGreaterThanOrEqual(2) // poisoned images, and labels before
      for (const value of reachable(view)) {
        expect(secrets).not.toContain(value)
        expect(own).not.toContain(listed(value))
      }
      // The look would find them, as they are, copied or as a plain list, however deep.
      for (const leak of [truth, truth.poisoned.slice(), [...truth.originalLabels], new Set(truth.poisoned)]) {
        const found = [...reachable({ ...view, recipe: { ...view.recipe, deep: [{ leak }] } })]
        expect(found.some((value) => secrets.includes(value as Truth) || own.includes(listed(value)))).toBe(true)
      }
    }))

  it('gets the same model from the same seed, another from another', () =>
    arena(async () => {
      const { set } = await signs()
      const train = async (seed: number) => hash((await run(set, { random: new Random(seed) })).classifier)
      const first = await straight()
      expect(await train(3)).toBe(first.hash)
      expect(await train(4)).not.toBe(first.hash)
    }))

  it('gets bit by bit the same model when it is stopped after every single batch and resumed', () =>
    arena(async () => {
      const { set } = await signs()
      const expected = await straight()
      const checkpoints = () =>
        checkpointFolder(folder, (message) => {
          throw new Error(message)
        })
      const folder = freshFolder()
      let stops = 0
      for (;;) {
        let batches = 0
        try {
          const interrupted = () => batches > 0
          const reporter = { ...quiet, progress: () => void batches++, interrupted }
          const resumed = await run(set, { checkpoints: checkpoints(), reporter })
          expect(hash(resumed.classifier)).toBe(expected.hash)
          expect(resumed.suspicion).toEqual(expected.suspicion)
          break
        } catch (error) {
          expect(error).toEqual(new UserError('saved', 'Stopped on request; everything is saved'))
          stops++
        }
      }
      // three batches per epoch, two epochs, at least
      expect(stops).toBeGreaterThanOrEqual(5)
    }))

  it('reports finite numbers of every epoch, and traces one number per image', () =>
    arena(async () => {
      const { set } = await signs()
      const epochs: Record<string, unknown>[] = []
      const traces: Float32Array[] = []
      const watching = {
        reporter: { ...quiet, epoch: (metrics: Record<string, unknown>) => void epochs.push(metrics) },
        trace: (_: string, __: number, values: Float32Array) => void traces.push(values),
      }
      const { suspicion } = await run(set, watching)
      expect(epochs.filter(({ stage }) => stage === 'model').map(({ epoch }) => epoch)).toEqual([0, 1])
      for (const { stage, ...numbers } of epochs) {
        const declared = Object.keys(defenses[name].stages).some(
          (each) => stage === each || `${stage}`.startsWith(`${each}-`),
        )
        expect({ stage, declared }).toEqual({ stage, declared: true })
        expect(Object.values(numbers).every(Number.isFinite)).toBe(true)
        const { epoch, seconds, ...own } = numbers
        const named = stage === 'model' ? ['loss', 'accuracy'] : Object.keys(own).slice(0, 1)
        expect(Object.keys(own)).toEqual(expect.arrayContaining(named))
        expect(named.length).toBeGreaterThan(0)
      }
      for (const values of traces) expect(values.length).toBe(set.labels.length)
      if (!suspicion) return
      expect(suspicion.score.length).toBe(set.labels.length)
      expect(suspicion.score.every(Number.isFinite)).toBe(true)
      expect(Number.isFinite(suspicion.threshold)).toBe(true)
    }))

  it('gives a model that predicts the same on any batch size, and describes it', () =>
    arena(async () => {
      const { set } = await signs()
      const { classifier, description } = await run(set, {}, { epochs: 1 })
      expect(description).toMatchObject({ model: 'wrn', classes: set.classes, shape: set.shape })
      const images = loader(set, device)
      const scores = (batch: number) =>
        scoreEach(classifier, images, ({ logits }) => logits.softmax(1).select(1, 0), { batch }).then((all) =>
          Array.from(all),
        )
      const together = await scores(80)
      expect(together.every((p) => p >= 0 && p <= 1)).toBe(true)
      for (const batch of [1, 7, 1000]) {
        for (const [i, score] of (await scores(batch)).entries()) expect(score).toBeCloseTo(together[i] as number, 4)
      }
    }))

  it('saves nothing of a gradient that is not finite, and says that training has diverged', () =>
    arena(async () => {
      const { set } = await signs()
      await straight() // so that the model to be repaired is in the cache
      for (const at of [1, 3]) {
        const gradientsOf = native().gradientsOf
        let steps = 0
        const spoiled = vi.spyOn(native(), 'gradientsOf').mockImplementation((leaves) => {
          const found = gradientsOf(leaves)
          if (++steps === at) fill(found[0] as number, Number.NaN)
          return found
        })
        let saved = 0
        const checkpoints: Checkpoints = {
          ...noCheckpoints,
          save(_, state) {
            saved++
            for (const { tensors } of Object.values(state))
              for (const each of Object.values(tensors)) expect(each.numbers().every(Number.isFinite)).toBe(true)
          },
        }
        const now = vi.spyOn(performance, 'now').mockImplementation(() => 1e6 * steps) // a checkpoint is due after every step
        await expect(run(set, { checkpoints })).rejects.toMatchObject({ code: exitCode.diverged })
        expect(saved).toBeLessThan(at)
        for (const spy of [spoiled, now]) spy.mockRestore()
      }
    }))

  it('leaves no tensors behind but the model it returns', async () => {
    const { set } = await signs()
    const before = liveTensors()
    const { classifier } = await arena(() => run(set, {}, { epochs: 1 }))
    const weights = Object.values(stateOf(classifier).tensors)
    expect(liveTensors() - before).toBe(weights.length)
    for (const tensor of weights) tensor.free()
    expect(liveTensors()).toBe(before)
  })

  it('leaves no tensors behind when it is stopped', async () => {
    const { set } = await signs()
    const before = liveTensors()
    await expect(arena(() => run(set, { reporter: { ...quiet, interrupted: () => true } }))).rejects.toThrow(
      'Stopped on request',
    )
    expect(liveTensors()).toBe(before)
  })

  it('learns from every label equally often where labels are balanced, and balances nothing else', () =>
    arena(async () => {
      const { set } = await signs(120)
      // Of the first label four times as many images as of any other.
      const kept = Array.from(set.labels.keys()).filter((i) => set.labels[i] === 0 || i % 4 === 0)
      const uneven = subset(set, kept)
      const shown = new Map<string, number[]>()
      const original = entry.train
      vi.spyOn(entry, 'train').mockImplementation((options, view) =>
        original(options, { ...view, stage: watched(view) }),
      )
      const watched = ({ stage }: DefenderView): DefenderView['stage'] =>
        async function* (stageName, options) {
          for await (const batch of stage(stageName, options)) {
            const { asFrequent, ordered, only, repeated } = options
            if (repeated) {
              yield batch // balanced pass by pass, which src/training/stage.test.ts counts
              continue
            }
            const kind = asFrequent ? 'as frequent' : ordered ? 'ordered' : 'balanced'
            const key = JSON.stringify([kind, stageName, batch.epoch, only ? [...only] : null])
            shown.set(key, [...(shown.get(key) ?? []), ...batch.indices])
            yield batch
          }
        }
      const { classifier } = await run(uneven, {}, { balance: 'sampling' })
      const all = Object.values(stateOf(classifier).tensors).flatMap((tensor) => tensor.numbers())
      expect(all.every(Number.isFinite)).toBe(true)
      for (const [key, images] of shown) {
        const [kind, , , only] = JSON.parse(key) as [string, string, number, number[] | null]
        const given = only ?? Array.from(uneven.labels.keys())
        if (kind === 'balanced') {
          const labels = images.map((i) => uneven.labels[i] as number)
          const counts = [...new Set(labels)].map((label) => labels.filter((each) => each === label).length)
          expect(Math.max(...counts) - Math.min(...counts), key).toBeLessThanOrEqual(1)
          for (const i of images) expect(given).toContain(i)
        } else
          expect(
            [...images].sort((a, b) => a - b),
            key,
          ).toEqual([...given].sort((a, b) => a - b))
      }
      const plain = await run(uneven, {})
      expect(hash(plain.classifier)).not.toBe(hash(classifier))
    }))

  it('copes with a class that has no images, and with a last batch of one', () =>
    arena(async () => {
      const { set } = await signs(120)
      const kept = Array.from(set.labels.keys())
        .filter((i) => set.labels[i] !== 5)
        .slice(0, 65)
      const without = subset(set, kept)
      expect(without.labels).not.toContain(5)
      const { classifier } = await run(without, {}, { epochs: 1 })
      const all = Object.values(stateOf(classifier).tensors).flatMap((tensor) => tensor.numbers())
      expect(all.every(Number.isFinite)).toBe(true)
    }))

  it('copes with images that all carry one label', () =>
    arena(async () => {
      const { set } = await signs()
      const one = imageSet({ ...set, labels: new Int32Array(set.labels.length) })
      const { classifier, suspicion } = await run(one, {}, { epochs: 1 })
      const all = Object.values(stateOf(classifier).tensors).flatMap((tensor) => tensor.numbers())
      expect(all.every(Number.isFinite)).toBe(true)
      expect(suspicion?.score.some(Number.isNaN) ?? false).toBe(false)
    }))
})

describe('a defense with long work between its stages', () => {
  const backdoored = 'when the backdoored model is there'
  /** the moment of asking: that one, or the end of a stage */
  const passes: { name: DefenseName; asked: string }[] = [
    { name: 'fine-pruning', asked: backdoored },
    { name: 'mcr', asked: 'model' },
    { name: 'd-br', asked: 'spread' },
  ]
  it.each(passes)('hears there that it shall stop: $name', ({ name, asked }) =>
    arena(async () => {
      const { set } = await signs()
      let stop = false
      let batches = 0
      const checkpoints: Checkpoints = {
        ...noCheckpoints,
        save(stage, _, { finished }) {
          if (stage === asked && finished) stop = true
        },
      }
      const stopped = defend(configure({ name, preset: 'paper' }), set, {
        ...around({ checkpoints }),
        reporter: {
          ...quiet,
          interrupted: () => stop,
          progress() {
            if (stop) batches++
          },
        },
        async onBackdoored() {
          if (asked === backdoored) stop = true
        },
      })
      await expect(stopped).rejects.toEqual(new UserError('saved', 'Stopped on request; everything is saved'))
      expect(batches).toBe(0)
    }),
  )
})
