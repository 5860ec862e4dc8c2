import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compute, device } from '../../test/device.ts'
import { auroc } from '../experiment/measure/statistics.ts'
import { models } from '../models/index.ts'
import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { moveTo } from '../nn/module.ts'
import { sgd } from '../nn/sgd.ts'
import { Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { full, liveTensors, stack, type Tensor, tensor } from '../tensor/tensor.ts'
import { type ImageSet, imageSet, subset } from '../training/images.ts'
import { loader } from '../training/loader.ts'
import type { DetectorEntry, DetectorView } from './detector.ts'
import { type DetectorName, detectors } from './index.ts'
import { entropy, normalQuantile } from './strip.ts'

// The promises every detector keeps. A new entry is covered by being in the catalogue.

/** Options that make a detector quick enough to be tried in a test. */
const quick: Partial<Record<DetectorName, Record<string, unknown>>> = { strip: { superpositions: 8 } }

/** Everything a detector may see, and nothing else. The type makes sure that the list is complete. */
const allowed: Record<keyof DetectorView, true> = {
  images: true,
  classes: true,
  model: true,
  clean: true,
  random: true,
  compute: true,
  batch: true,
  onProgress: true,
}

const names = Object.keys(detectors) as DetectorName[]
const classes = ['dark', 'light', 'striped']

/** Gray images of three kinds with noise; those at `poisoned`, dark by nature, have a white corner and are called light. */
function drawn(count: number, { seed = 1, poisoned = [] as readonly number[] } = {}): ImageSet {
  const random = new Random(seed)
  const labels = Int32Array.from({ length: count }, (_, i) => (poisoned.includes(i) ? 1 : i % 3))
  const pixels = new Uint8Array(count * 3 * 64)
  for (let at = 0; at < pixels.length; at++) {
    const [i, row, column] = [Math.floor(at / 192), (at >> 3) & 7, at & 7]
    const kind = poisoned.includes(i) ? 0 : i % 3
    const level = kind === 0 ? 20 : kind === 1 ? 90 : row % 2 === 0 ? 20 : 90
    const corner = poisoned.includes(i) && row >= 5 && column >= 5
    pixels[at] = corner ? 255 : level + random.integer(20)
  }
  return imageSet({ pixels, labels, shape: [3, 8, 8], classes, names: Array.from(labels, (_, i) => String(i)) })
}

/** A small network that has learned these images. */
async function trained(set: ImageSet, epochs = 30): Promise<Classifier> {
  const random = new Random(7)
  const context = { random, compute, classes: classes.length, shape: set.shape, normalization: null }
  const { wrn } = models
  const model = moveTo(wrn.build(wrn.options.parse({ depth: 10, width: 0.5 }), context), device)
  const optimizer = sgd(model.parameters)
  const images = loader(set, device)
  for (let epoch = 0; epoch < epochs; epoch++) {
    const indices = random.permutation(set.labels.length)
    scope(() => {
      const { logits } = model.forward(images.images(indices), 'train')
      optimizer.step(crossEntropy(logits, images.labelsOf(indices)), 0.05)
      if (epoch === epochs - 1) expect(accuracy(logits, images.labelsOf(indices)).item()).toBeGreaterThan(0.95)
    })
  }
  images.free()
  return model
}

const poisoned = [0, 3, 6, 9, 12, 15]
const set = drawn(90, { poisoned })
const model = await trained(set)

/** A network of our own making that tells level and stripes, unsurely, and obeys a white corner. */
const obedient = {
  parameters: {},
  buffers: {},
  embeddingWidth: 3,
  head: full([3, 3], 0),
  forward: (images: Tensor) =>
    scope(() => {
      const gray = images.mean([1])
      const level = gray.narrow(1, 0, 5).mean([1, 2])
      const stripes = gray
        .select(1, 0)
        .mean([1])
        .sub(gray.select(1, 1).mean([1]))
      const corner = gray.narrow(1, 5, 3).narrow(2, 5, 3).mean([1, 2]).sub(0.9).relu().mul(10)
      const logits = [level.mul(-2), level.mul(2).add(corner.mul(40)), stripes.abs().mul(2)]
      return { logits: stack(logits, 1), embedding: stack([level, stripes, corner], 1), maps: [] }
    }),
} as unknown as Classifier

describe('the catalogue of detectors', () => {
  it('has every entry in the folder, under its file’s name', async () => {
    const files = readdirSync(new URL('.', import.meta.url)).filter((file) => /^(?!.*\.test\.).*\.ts$/.test(file))
    for (const file of files.filter((file) => !['index.ts', 'detector.ts'].includes(file))) {
      const name = file.slice(0, -3)
      const exported = Object.values(
        (await import(/* @vite-ignore */ `../detectors/${name}.ts`)) as Record<string, unknown>,
      )
      const isEntry = (value: unknown) => typeof value === 'object' && value !== null && 'detect' in value
      for (const value of exported.filter(isEntry))
        expect((detectors as Record<string, unknown>)[name], file).toBe(value)
    }
    for (const name of names) expect(files).toContain(`${name}.ts`)
  })
})

describe.each(names)('detector %s', (name) => {
  const entry = detectors[name] as unknown as DetectorEntry
  const detect = async (
    images: ImageSet,
    {
      seed = 3,
      batch = 64,
      clean,
      of = model,
    }: { seed?: number; batch?: number; clean?: ImageSet; of?: Classifier } = {},
  ) => {
    const [untrusted, trusted] = [loader(images, device), clean ? loader(clean, device) : null]
    const passes: [number, number][] = []
    const view = {
      images: untrusted,
      classes,
      model: of,
      clean: trusted,
      random: new Random(seed),
      compute,
      batch,
      onProgress: (done: number, total: number) => void passes.push([done, total]),
    }
    expect(Object.keys(view).sort()).toEqual(Object.keys(allowed).sort())
    try {
      const suspicion = await entry.detect(entry.options.parse(quick[name] ?? {}), view)
      for (const [i, [done, total]] of passes.entries()) {
        expect(done).toBeGreaterThan(passes[i - 1]?.[0] ?? 0)
        expect(i + 1 === passes.length ? done === total : done < total).toBe(true)
      }
      return suspicion
    } finally {
      untrusted.free()
      trusted?.free()
    }
  }
  const sound = ({ score, threshold }: Awaited<ReturnType<typeof detect>>, count: number) => {
    expect(score.length).toBe(count)
    expect(score.every(Number.isFinite)).toBe(true)
    expect(Number.isFinite(threshold)).toBe(true)
  }

  it('has a title, a paper, and a description of every option', () => {
    expect(entry.title).not.toBe('')
    expect(entry.paper).toMatch(/^https:\/\//)
    for (const [option, schema] of Object.entries(entry.options.shape)) {
      expect((schema as { description?: string }).description, option).toBeTruthy()
    }
  })

  it('finds a few images by their trigger where the model obeys it', async () => {
    const { score, threshold } = await detect(set, { of: obedient })
    const named = Array.from(score.keys()).filter((i) => (score[i] as number) > threshold)
    expect(named.filter((i) => poisoned.includes(i)).length).toBeGreaterThanOrEqual(5)
    expect(auroc(score, (i) => poisoned.includes(i))).toBeGreaterThan(0.8)
  })

  it('gives the same scores from the same seed', async () => {
    expect(await detect(set)).toEqual(await detect(set))
  })

  it('gives the same scores whatever the batches', async () => {
    const together = await detect(set)
    for (const batch of [1, 7, 1000]) {
      const { score, threshold } = await detect(set, { batch })
      expect(threshold).toBeCloseTo(together.threshold, 3)
      score.forEach((each, i) => {
        expect(each).toBeCloseTo(together.score[i] as number, 3)
      })
    }
  })

  it('takes trusted images where there are some', async () => {
    sound(await detect(set, { clean: drawn(30, { seed: 2 }) }), 90)
  })

  it('leaves no tensors behind', async () => {
    const before = liveTensors()
    await arena(() => detect(set, { clean: drawn(9, { seed: 2 }) }))
    expect(liveTensors()).toBe(before)
  })

  it('copes with a class that has no images, with one image per class, and with a single image', async () => {
    const without = Array.from(set.labels.keys()).filter((i) => set.labels[i] !== 2)
    sound(await detect(subset(set, without)), without.length)
    sound(await detect(subset(set, [30, 31, 32])), 3)
    sound(await detect(subset(set, [30])), 1)
  })

  it('copes with images that all carry one label, and with images that are all the same', async () => {
    sound(await detect(imageSet({ ...set, labels: new Int32Array(90) })), 90)
    sound(await detect(subset(set, new Int32Array(20).fill(30))), 20)
  })
})

describe('strip', () => {
  it('measures entropy in bits', () => {
    const logits = [0, 0, 0, 0, 50, 0, 0, 0, Math.log(3), 0, -1e4, -1e4]
    const bits = scope(() => entropy(tensor(logits, [3, 4])).numbers())
    const half = -(0.75 * Math.log2(0.75) + 0.25 * Math.log2(0.25))
    for (const [i, expected] of [2, 0, half].entries()) expect(bits[i]).toBeCloseTo(expected, 5)
  })

  it('places its threshold by a normal distribution', () => {
    // mean 2, deviation 1; the quantiles are those of any table
    const values = Float32Array.of(1, 3)
    expect(normalQuantile(values, 0.5)).toBeCloseTo(2, 6)
    expect(normalQuantile(values, 0.99)).toBeCloseTo(2 + 2.326348, 5)
    expect(normalQuantile(values, 0.05)).toBeCloseTo(2 - 1.644854, 5)
  })
})
