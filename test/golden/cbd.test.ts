import { describe, expect, it } from 'vitest'
import { cbd } from '../../src/defenses/cbd.ts'
import type { DefenderView } from '../../src/defenses/defense.ts'
import type { Classifier } from '../../src/nn/classifier.ts'
import { linear } from '../../src/nn/linear.ts'
import { join, moveTo, type NamedTensors } from '../../src/nn/module.ts'
import { Random } from '../../src/tensor/random.ts'
import { arena, scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { noAugmentation } from '../../src/training/augment.ts'
import { imageSet } from '../../src/training/images.ts'
import { loader } from '../../src/training/loader.ts'
import type { Batch, StageOptions } from '../../src/training/stage.ts'
import type { Reported } from '../../src/training/sums.ts'
import { compute, device, tolerance } from '../device.ts'
import {
  type Checksum,
  expectNear,
  expectTensor,
  expectTensors,
  formula,
  integers,
  readGolden,
  setWeights,
  type Whole,
} from './golden.ts'

interface Golden {
  readonly losses: readonly number[]
  readonly weights: readonly Whole[]
  readonly moved: Readonly<Record<string, Record<string, Record<string, Checksum>>>>
}
const presets = ['paper', 'literal', 'released', 'released-adversarial'] as const
const { batches, scales, rate, shuffles, ...golden } = readGolden<
  Record<(typeof presets)[number], Golden> & {
    batches: { seeds: number[]; shape: number[]; scale: number; offset: number }
    scales: [number, number, number, number]
    rate: number
    shuffles: number[][]
  }
>('cbd.json')

/** The golden network: linear, tanh, linear. */
function smooth(seed: number): Classifier {
  const first = linear(new Random(0), { from: 192, to: 16 })
  const second = linear(new Random(0), { from: 16, to: 10 })
  const network = moveTo(join({ first, second }), device)
  const names = ['first.weight', 'first.bias', 'second.weight', 'second.bias'] as const
  const formulas = names.map((name, k) => {
    const shape = network.parameters[name]?.shape as number[]
    return [name, { seed: seed + k, shape, scale: scales[k] as number, offset: 0 }] as const
  })
  setWeights(network.parameters, Object.fromEntries(formulas))
  return {
    ...network,
    embeddingWidth: 16,
    head: network.parameters['second.weight'] as Tensor,
    forward(images) {
      const embedding = first.forward(images.flatten(1)).tanh()
      return { logits: second.forward(embedding), embedding, maps: [] }
    },
  }
}

/** A stream whose draws are those of make.py: initial weights, shuffles and dropout by formula. */
function formulaStream(): Random {
  let seed = 500
  const weights = {
    uniformTensor: (shape: number[], low: number, high: number) =>
      formula({ seed: seed++, shape, scale: (high - low) / 2, offset: (low + high) / 2 }),
    normalTensor: (shape: number[]) => formula({ seed: seed++, shape }),
  }
  const draws = (seed: number) => {
    let i = 0
    return { uniform: () => (Math.sin(seed * 12.9898 + i++ * 0.618) + 1) / 2 }
  }
  const root = {
    fork(name: string) {
      if (name === 'critic') return weights
      const [, pass, number] = /^critic (pass 0 )?(\d)$/.exec(name) ?? []
      const step = Number(number)
      return {
        permutation: () => Int32Array.from(shuffles[step] as number[]),
        fork: (kind: string) => draws((pass ? 700 : 600) + 2 * step + ['joint', 'marginal'].indexOf(kind)),
      }
    },
  }
  return root as unknown as Random
}

/** A batch of make.py's: images of a seed, and labels (a·i + step) mod 10. */
function batchOf(seed: number, { step, steps, a }: { step: number; steps: number; a: number }) {
  const labels = Array.from({ length: 8 }, (_, i) => (a * i + step) % 10)
  const images = formula({ ...batches, seed })
  const counts = { step, steps, last: step + 1 === steps }
  return { images, labels: integers(labels), indices: Int32Array.from(labels.keys()), epoch: 0, ...counts, report() {} }
}

const copies = (tensors: NamedTensors) =>
  new Map(Object.entries(tensors).map(([name, each]) => [name, each.detach().clone()]))

describe.each(presets)('three steps of CBD, preset %s, give PyTorch’s', (preset) => {
  it('Eq. 6, Eq. 8 and the weights of the model and the critic', () =>
    arena(async () => {
      const expected = golden[preset]
      const isReleased = preset.startsWith('released')
      const start = new Map<string, Map<string, Tensor>>()

      /** By how much a network has moved since it was made. */
      const moved = (name: string, tensors: NamedTensors | undefined, step: number, t: number) => {
        const recorded = expected.moved[String(step)]?.[name]
        const before = start.get(name)
        if (!recorded || !tensors || !before) return
        const since = (key: string) => (tensors[key] as Tensor).sub(before.get(key) as Tensor)
        expectTensors(Object.fromEntries(Object.keys(recorded).map((key) => [key, since(key)])), recorded, t)
      }

      async function* stage(name: string, { state, batch, epochs }: StageOptions): AsyncGenerator<Batch> {
        expect(batch).toBe(isReleased ? 64 : 8)
        const remember = (network: string) => {
          const tensors = state[network]?.tensors
          if (tensors && !start.has(network)) start.set(network, copies(tensors))
        }
        if (name === 'confounder') {
          const steps = 2 * epochs
          for (let step = 0; step < steps; step++) yield batchOf(300 + step, { step, steps, a: 5 })
          return
        }
        for (const network of ['model', 'critic']) remember(network)
        for (const [step, seed] of batches.seeds.entries()) {
          let loss = Number.NaN
          const report = (values: Reported) => {
            loss = (values.loss as Tensor).item()
          }
          yield { ...batchOf(seed, { step, steps: 3, a: 3 }), report }
          if (name !== 'model') continue
          const want = expected.losses[step] as number
          expectNear([loss], [want], tolerance(1e-4) * want, `loss ${step}`)
          const given = state.given?.tensors.values as Tensor
          expectTensor(given, expected.weights[step] as Whole, tolerance(1e-4), `weights at step ${step}`)
          scope(() => {
            moved('model', state.model?.tensors, step + 1, tolerance(5e-4))
            moved('critic', state.critic?.tensors, step + 1, 0.05)
          })
        }
      }

      const numbers = (length: number, number: (i: number) => number) => Array.from({ length }, (_, i) => number(i))
      const view: DefenderView = {
        images: loader(
          imageSet({
            pixels: Uint8Array.from(numbers(8 * 192, (i) => (i * 37) % 256)),
            labels: Int32Array.from(numbers(8, (i) => i)),
            shape: [3, 8, 8],
            classes: numbers(10, (i) => i).map(String),
            names: numbers(8, (i) => i).map(String),
          }),
          device,
        ),
        classes: numbers(10, (i) => i).map(String),
        recipe: {
          epochs: 100,
          batch: 8,
          rate,
          schedule: () => rate,
          optimizer: 'sgd',
          rateShare: 1,
          momentum: 0.9,
          weightDecay: 1e-4,
          nesterov: false,
          augmentation: noAugmentation,
        },
        compute,
        random: formulaStream(),
        model(name, options) {
          expect(options?.normalized).toBe(!isReleased)
          return smooth(name === 'confounder' ? 20 : 10)
        },
        stage,
        trace() {},
        async portray() {},
        say() {},
        clean: null,
        pause: async () => {},
        backdoored: () => Promise.reject(new Error('not asked for')),
      }
      await cbd.train(cbd.options.parse(cbd.presets[preset]), view)
      expect.hasAssertions()
    }))
})
