import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compute, device } from '../../test/device.ts'
import { auroc } from '../experiment/measure/statistics.ts'
import { defend } from '../experiment/prepare/defend.ts'
import { resolveConfig } from '../experiment/settings/config.ts'
import { buildModel } from '../experiment/store/saved-model.ts'
import type { Classifier } from '../nn/classifier.ts'
import type { NamedTensors } from '../nn/module.ts'
import { Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { liveTensors, noGrad } from '../tensor/tensor.ts'
import { noCheckpoints } from '../training/checkpoint.ts'
import { type ImageSet, imageSet } from '../training/images.ts'
import { inOrder, loader } from '../training/loader.ts'
import { accuracyOn, predict } from '../training/predict.ts'
import { quiet } from '../training/reporter.ts'
import type { EpochMetrics } from '../training/stage.ts'
import type { Suspicion } from '../training/suspicion.ts'
import { prune } from './fine-pruning.ts'

// That the classical defenses do their work: each on a backdoor that plain training learns.

liveTensors() // loads the addon from the real cache; the backdoored model goes to one of its own
const realCache = process.env.XDG_CACHE_HOME
const cache = mkdtempSync(join(tmpdir(), 'repairs-'))
process.env.XDG_CACHE_HOME = cache
afterAll(() => {
  rmSync(cache, { recursive: true })
  if (realCache === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = realCache
})

const side = 16
const classes = ['top left', 'top right', 'bottom left', 'bottom right']

/** Images whose class is their bright quarter; `triggered` says which have stripes in a corner, `label` what they are called. */
function quarters(
  seed: number,
  { count, triggered, label }: { count: number; triggered: (i: number) => boolean; label: (i: number) => number },
): ImageSet {
  const random = new Random(seed)
  const pixels = new Uint8Array(count * side * side)
  for (let i = 0; i < count; i++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const quarter = 2 * Math.floor(y / 8) + Math.floor(x / 8)
        const striped = triggered(i) && x >= 11 && y >= 11
        pixels[(i * side + y) * side + x] = striped
          ? 255 * (x % 2)
          : 60 + random.integer(100) + (quarter === i % 4 ? 22 : 0)
      }
    }
  }
  const labels = Int32Array.from({ length: count }, (_, i) => label(i))
  return imageSet({ pixels, shape: [1, side, side], labels, classes, names: Array.from(labels, (_, i) => String(i)) })
}

const count = 480
const poisoned = (i: number) => i < 60
const untrusted = quarters(1, { count, triggered: poisoned, label: (i) => (poisoned(i) ? 0 : i % 4) })
const trusted = quarters(2, { count: 80, triggered: () => false, label: (i) => i % 4 })
const tests = quarters(3, { count: 200, triggered: () => false, label: (i) => i % 4 })
const stamped = quarters(3, { count: 200, triggered: () => true, label: (i) => i % 4 })

/** Share of test images labelled rightly, and of stamped ones of other classes that are taken for the first. */
async function measure(model: Classifier): Promise<{ right: number; obeying: number }> {
  const said = (await predict(model, loader(stamped, device))).filter((_, i) => i % 4 !== 0)
  return {
    right: await accuracyOn(model, loader(tests, device)),
    obeying: said.filter((label) => label === 0).length / said.length,
  }
}

/** Trains by a defense with these options; to be called within an arena. */
async function train(
  defense: string,
  options: Record<string, unknown> = {},
  more: Partial<Parameters<typeof defend>[2]> = {},
) {
  const recipe = {
    epochs: 6,
    batch: 32,
    device,
    precision: 'fp32',
    threads: 1,
    'model.depth': 10,
    flip: false,
    padding: 1,
  }
  const epochs: EpochMetrics[] = []
  let before: Awaited<ReturnType<typeof measure>> | undefined
  const batch = ['fine-pruning', 'nad', 'mcr'].includes(defense)
    ? { batch: 16 }
    : defense === 'abl'
      ? { 'unlearning-batch': 16 }
      : {}
  const own = Object.entries({ ...batch, ...options }).map(([name, value]) => [`defense.${name}`, value])
  const config = resolveConfig({ dataset: 'signs', defense, ...recipe, ...Object.fromEntries(own) })
  const { classifier, suspicion, description } = await defend(config, untrusted, {
    clean: trusted,
    compute,
    random: new Random(3),
    checkpoints: noCheckpoints,
    reporter: { ...quiet, epoch: (metrics) => void epochs.push(metrics) },
    async onBackdoored(model) {
      before = await measure(model)
    },
    ...more,
  })
  return {
    classifier,
    description,
    suspicion: suspicion as Suspicion,
    epochs,
    before,
    after: await measure(classifier),
  }
}

/** How well the poison is ranked first. */
const ranking = ({ score }: Suspicion) => auroc(score, poisoned)

type Trained = Pick<Awaited<ReturnType<typeof train>>, 'classifier' | 'suspicion' | 'epochs'>

/** What a defense is to have done on the way. */
const work: Readonly<Record<string, (trained: Trained) => void>> = {
  'fine-pruning'({ classifier }) {
    const weights = scope(() => classifier.head.abs().sum([0]).numbers())
    expect(weights).toContain(0) // what was pruned stayed so through fine-tuning
  },
  nad({ epochs }) {
    const attention = epochs.filter(({ stage }) => stage === 'model').map((each) => each.attention as number)
    expect(attention.at(-1)).toBeLessThan((attention[0] as number) / 2) // the student's was drawn to the teacher's
  },
  'd-br'({ suspicion }) {
    expect(ranking(suspicion)).toBeGreaterThan(0.9) // the poison's embeddings change most
  },
}

describe('the classical defenses', () => {
  it('face a model that obeys the trigger', () =>
    arena(async () => {
      const { after } = await train('none')
      expect(after.right).toBeGreaterThan(0.95)
      expect(after.obeying).toBeGreaterThan(0.95)
    }))

  it.each([
    ['fine-pruning', { rate: 0.1, share: 0.05, epochs: 8 }],
    ['nad', { 'teacher-epochs': 5, epochs: 6 }],
    ['mcr', { second: 'tuned', 'tuning-epochs': 6, 'tuning-rate': 0.1, rate: 0.2, epochs: 10 }],
    ['d-br', { 'first-epochs': 2, 'spread-epochs': 2, rate: 0.01, epochs: 4, sensitive: 0.1 }],
  ])('repair it: %s', (name, options) =>
    arena(async () => {
      const { before, after, ...trained } = await train(name, options)
      expect(before?.obeying).toBeGreaterThan(0.95)
      expect(after.obeying).toBeLessThan(0.3)
      expect(after.right).toBeGreaterThan(0.9)
      work[name]?.(trained)
    }),
  )

  it('unlearn what was isolated, which is the poison: abl', () =>
    arena(async () => {
      const { after, suspicion } = await train('abl', { ...isolating, epochs: 3 })
      expect(ranking(suspicion)).toBeGreaterThan(0.8)
      const isolated = suspicion.score.map((score) => (score > suspicion.threshold ? 1 : 0))
      expect(isolated.reduce((sum, one) => sum + one, 0)).toBe(48) // a tenth
      expect(isolated.filter((one, i) => one && poisoned(i)).length).toBeGreaterThan(24)
      expect(after.obeying).toBeLessThan(0.1)
      expect(after.right).toBeGreaterThan(0.9)
    }))
})

const isolating = { 'isolation-epochs': 2, isolated: 0.1 }

describe('unlearning', () => {
  it.each([
    ['abl', { ...isolating, epochs: 3, 'unlearning-rate': 1 }],
    ['d-br', { 'first-epochs': 1, 'spread-epochs': 1, rate: 1, epochs: 1 }],
  ])('ends where it costs too much, and leaves the last good network: %s', (name, options) =>
    arena(async () => {
      const right = async (mayLose: number) => (await train(name, { ...options, 'may-lose': mayLose })).after.right
      expect(await right(1)).toBeLessThan(0.7)
      expect(await right(0.1)).toBeGreaterThan(0.8)
    }),
  )
})

describe('fine-pruning', () => {
  it('prunes the channels that clean images use least, up to the one that would cost too much', () =>
    arena(async () => {
      const { classifier: model, description } = await train('none')
      const images = loader(trusted, device)
      const spare = buildModel(description, { random: new Random(1), compute })
      const width = model.embeddingWidth
      const everything = inOrder(trusted.labels.length, trusted.labels.length)[0] as Int32Array
      const use = scope(() =>
        noGrad(() => model.forward(images.images(everything), 'eval').embedding.mean([0]).numbers()),
      )
      const order = [...use.keys()].sort((a, b) => (use[a] as number) - (use[b] as number))
      const before = await accuracyOn(model, images)
      const [share, mayLose] = [0.05, 0.1]
      const kept = (await prune(model, { images, pause: async () => {} }, { share, mayLose, spare })).numbers()
      const pruned = kept.filter((each) => each === 0).length
      const atOnce = Math.round(share * width)
      expect(pruned).toBeGreaterThan(0)
      expect(pruned % atOnce).toBe(0)
      expect(order.map((channel) => kept[channel])).toEqual(order.map((_, at) => (at < pruned ? 0 : 1)))
      const column = (channel: number) => scope(() => model.head.select(1, channel).numbers())
      for (const [channel, each] of kept.entries())
        expect(column(channel).every((weight) => weight === 0)).toBe(each === 0)
      expect(await accuracyOn(model, images)).toBeGreaterThanOrEqual((1 - mayLose) * before)
      for (const channel of order.slice(pruned, pruned + atOnce))
        noGrad(() => scope(() => void model.head.select(1, channel).fill_(0)))
      expect(await accuracyOn(model, images)).toBeLessThan((1 - mayLose) * before)
    }))
})

describe('mode connectivity repair', () => {
  it.each([0.25, 0.9])('gives the model of the point of the curve that was asked for: %s', (at) =>
    arena(async () => {
      const ends: Record<string, Record<string, number[]>> = {}
      const remember = (name: string, tensors: NamedTensors) => {
        ends[name] = Object.fromEntries(Object.entries(tensors).map(([key, each]) => [key, each.numbers()]))
      }
      const options = { second: 'tuned', 'tuning-epochs': 1, epochs: 1, at }
      const { classifier } = await train('mcr', options, {
        async onBackdoored(model) {
          remember('first', model.parameters)
        },
        checkpoints: {
          ...noCheckpoints,
          save(stage, state) {
            const end = { tuned: state.model, model: state.middle }[stage]
            if (end) remember(stage, end.tensors)
          },
        },
      })
      for (const [key, parameter] of Object.entries(classifier.parameters)) {
        const [w1, theta, w2] = ['first', 'model', 'tuned'].map((end) => ends[end]?.[key] as number[])
        const apart = parameter.numbers().map((each, i) => {
          const point =
            (1 - at) ** 2 * (w1?.[i] as number) +
            2 * at * (1 - at) * (theta?.[i] as number) +
            at ** 2 * (w2?.[i] as number)
          return Math.abs(each - point)
        })
        expect(Math.max(...apart), key).toBeLessThan(1e-6)
      }
    }),
  )
})
