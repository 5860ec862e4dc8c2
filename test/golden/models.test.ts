import { describe, expect, it } from 'vitest'
import { type ModelName, models } from '../../src/models/index.ts'
import type { ModelEntry } from '../../src/models/model.ts'
import type { Output } from '../../src/nn/classifier.ts'
import { moveTo, type NamedTensors, parameterCount } from '../../src/nn/module.ts'
import { Blank } from '../../src/tensor/random.ts'
import { arena, scope } from '../../src/tensor/scope.ts'
import { noGrad, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import type { ImageShape } from '../../src/training/images.ts'
import { compute, device, tolerance } from '../device.ts'
import { expectTensor, type Recorded, readGolden } from './golden.ts'

interface Outputs {
  readonly logits: Recorded
  readonly embedding: Recorded
  readonly maps: readonly Recorded[]
}

interface Case {
  readonly model: ModelName
  readonly options: Readonly<Record<string, unknown>>
  readonly input: { readonly seed: number; readonly shape: readonly number[] }
  readonly parameters: number
  readonly training: Outputs
  readonly eval: Outputs
}

const golden = readGolden<{ cases: readonly Case[] }>('models.json')
const cases = golden.cases.map((each) => ({ ...each, title: [each.model, JSON.stringify(each.options)].join(' ') }))

describe.each(cases)('$title gives PyTorch’s', ({ model: name, options, input, ...expected }) => {
  const build = () => {
    const entry: ModelEntry = models[name]
    const shape = input.shape.slice(1) as unknown as ImageShape
    const context = { random: new Blank(), compute, classes: 10, shape, normalization: null }
    const model = moveTo(
      entry.build({ ...entry.options.parse(options), dropout: 0, stochasticDepth: 0 }, context),
      device,
    )
    fill(model.parameters)
    return model
  }

  it('number of parameters, and outputs in training and in evaluation', () =>
    arena(async () => {
      const model = build()
      expect(parameterCount(model)).toBe(expected.parameters)
      scope(() =>
        noGrad(() => {
          const images = scattered(input)
          expectOutput(model.forward(images, 'train'), expected.training)
          expectOutput(model.forward(images, 'eval'), expected.eval) // with the statistics of that one pass
        }),
      )
    }))
})

/** make_models.py's `gaps` reach 7e-5 where batch norm sees few values. */
const t = tolerance(5e-4)

function expectOutput(actual: Output, expected: Outputs): void {
  expectTensor(actual.logits, expected.logits, t, 'logits')
  expectTensor(actual.embedding, expected.embedding, t, 'embedding')
  expect(actual.maps.length).toBe(expected.maps.length)
  for (const [i, map] of actual.maps.entries()) expectTensor(map, expected.maps[i] as Recorded, t, `map ${i}`)
}

/** Element i is offset + scale · (h / 2³¹ − 1) with h the hash of i + seed · 0x9E3779B1, in 32 bits, as in make_models.py. */
function scattered({
  seed,
  shape,
  scale = 1,
  offset = 0,
}: {
  seed: number
  shape: readonly number[]
  scale?: number
  offset?: number
}): Tensor {
  const start = Math.imul(seed, 0x9e3779b1)
  const values = new Float32Array(shape.reduce((product, length) => product * length, 1))
  for (let i = 0; i < values.length; i++) {
    let h = (i + start) | 0
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    values[i] = offset + scale * (((h ^ (h >>> 16)) >>> 0) / 2 ** 31 - 1)
  }
  return scope(() => tensor(values, shape).to({ device }))
}

/** Parameter number k in the order of their names has seed k, and a scale by what the parameter is for. */
function fill(parameters: NamedTensors): void {
  for (const [seed, name] of Object.keys(parameters).sort().entries()) {
    const parameter = parameters[name] as Tensor
    const { shape } = parameter
    const inputs = shape.slice(1).reduce((product, length) => product * length, 1)
    const formula = {
      seed,
      shape,
      scale: shape.length > 1 ? Math.sqrt(6 / inputs) : 0.1,
      offset: shape.length === 1 && name.endsWith('weight') ? 1 : 0,
    }
    scope(() => noGrad(() => void parameter.copy_(scattered(formula))))
  }
}
