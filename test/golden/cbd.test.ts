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
  readonly shuffles: readonly number[][]
  readonly losses: readonly number[]
  readonly weights: readonly Whole[]
  readonly moved: Readonly<Record<string, Record<'model' | 'critic', Record<string, Checksum>>>>
}
const { batches, scales, rate, ...golden } = readGolden<
  Record<'paper' | 'released', Golden> & {
    batches: { seeds: number[]; shape: number[]; scale: number; offset: number }
    scales: [number, number, number, number]
    rate: number
  }
>('cbd.json')

/** The golden network: linear, tanh, linear; insists on being asked in the right mode. */
function smooth(seed: number, mode: 'train' | 'eval'): Classifier {
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
    forward(images, asked) {
      expect(asked).toBe(mode)
      const embedding = first.forward(images.flatten(1)).tanh()
      return { logits: second.forward(embedding), embedding, maps: [] }
    },
  }
}

/** A stream whose draws are those of make.py: initial weights, shuffles and dropout by formula. */
function formulaStream(shuffles: readonly number[][]): Random {
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
      const step = Number(/^critic (\d)$/.exec(name)?.[1])
      return {
        permutation: () => Int32Array.from(shuffles[step] as number[]),
        fork: (kind: string) => draws(600 + 2 * step + ['joint', 'marginal'].indexOf(kind)),
      }
    },
  }
  return root as unknown as Random
}

describe.each(['paper', 'released'] as const)('three steps of CBD, preset %s, give PyTorch’s', (preset) => {
  it('Eq. 6, Eq. 8 and the weights of the model and the critic', () =>
    arena(async () => {
      const expected = golden[preset]
      const moved = (
        name: 'model' | 'critic',
        tensors: NamedTensors,
        start: Map<string, Tensor>,
        step: number,
        t: number,
      ) => {
        const recorded = expected.moved[String(step)]?.[name]
        if (!recorded) return
        const moves = Object.keys(recorded).map((key) => [key, (tensors[key] as Tensor).sub(start.get(key) as Tensor)])
        expectTensors(Object.fromEntries(moves), recorded, t)
      }
      const copies = (tensors: NamedTensors) =>
        new Map(Object.entries(tensors).map(([name, each]) => [name, each.detach().clone()]))

      async function* stage(name: string, { state, batch }: StageOptions): AsyncGenerator<Batch> {
        if (name === 'confounder') return
        expect(batch).toBe(preset === 'released' ? 64 : 8)
        const [model, critic] = [state.model, state.critic].map((each) => each?.tensors) as [NamedTensors, NamedTensors]
        const start = { model: copies(model), critic: copies(critic) }
        for (const [step, seed] of batches.seeds.entries()) {
          const labels = Array.from({ length: 8 }, (_, i) => (3 * i + step) % 10)
          let loss = Number.NaN
          yield {
            images: formula({ ...batches, seed }),
            labels: integers(labels),
            indices: Int32Array.from(labels.keys()),
            ...{ epoch: 0, step, steps: 3, last: step === 2 },
            report(values) {
              loss = values.loss as number
            },
          }
          const want = expected.losses[step] as number
          expectNear([loss], [want], tolerance(1e-4) * want, `loss ${step}`)
          const given = state.given?.tensors.values as Tensor
          expectTensor(given, expected.weights[step] as Whole, tolerance(1e-4), `weights at step ${step}`)
          scope(() => {
            moved('model', model, start.model, step + 1, tolerance(5e-4))
            moved('critic', critic, start.critic, step + 1, 0.05)
          })
        }
      }

      const view: DefenderView = {
        images: loader(
          imageSet({
            pixels: Uint8Array.from({ length: 8 * 192 }, (_, i) => (i * 37) % 256),
            labels: Int32Array.from({ length: 8 }, (_, i) => i),
            shape: [3, 8, 8],
            classes: Array.from({ length: 10 }, (_, i) => String(i)),
            names: Array.from({ length: 8 }, (_, i) => String(i)),
          }),
          device,
        ),
        classes: Array.from({ length: 10 }, (_, i) => String(i)),
        recipe: {
          ...{ epochs: 1, batch: 8, rate, schedule: () => rate },
          ...{ momentum: 0.9, weightDecay: 1e-4, nesterov: false, augmentation: noAugmentation },
        },
        compute,
        random: formulaStream(expected.shuffles),
        model(name, options) {
          expect(options?.normalized).toBe(preset === 'paper')
          return name === 'confounder' ? smooth(20, 'eval') : smooth(10, 'train')
        },
        stage,
        trace() {},
        clean: null,
        backdoored: () => Promise.reject(new Error('not asked for')),
      }
      await cbd.train(cbd.options.parse(cbd.presets[preset]), view)
      expect.hasAssertions()
    }))
})
