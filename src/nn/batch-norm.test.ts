import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { useThreads } from '../tensor/device.ts'
import { Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { type DType, gradients, liveTensors, noGrad, operator, type Tensor, tensor } from '../tensor/tensor.ts'
import { batchNorm } from './batch-norm.ts'

// Batch norm + ReLU of our own, alone and after an addition, against libtorch's operators in float64.

const libtorchBatchNorm = operator('batch_norm')

interface Case {
  readonly shape: readonly [number, number, number, number]
  readonly training: boolean
}

/** Inputs in float64 that are exact in bf16, so that all precisions start from the same numbers. */
function inputs({ shape }: Case, seed = 1) {
  const random = new Random(seed)
  const channels = shape[1]
  const exact = (size: readonly number[], scale = 1, offset = 0) =>
    random
      .normalTensor([...size], offset, scale)
      .to({ dtype: 'bfloat16' })
      .to({ dtype: 'float64', device })
  return {
    x: exact(shape, 2, 0.5),
    addend: exact(shape),
    weight: exact([channels], 1, 1),
    bias: exact([channels]),
    mean: exact([channels]),
    variance: exact([channels]).square().add(0.5),
    ofSum: exact(shape),
    ofY: exact(shape),
  }
}
type Inputs = ReturnType<typeof inputs>

/** What an operator computes: sum, y, running statistics, and the gradients of Σ sum·ofSum + Σ y·ofY. */
type Computed = Record<string, number[]>

/** Computes by `forward`, with the images in one type and the rest in another. */
function compute(
  given: Inputs,
  { training }: Case,
  { images, rest, added, layout = true }: { images: DType; rest: DType; added: boolean; layout?: boolean },
  forward: (tensors: Record<'x' | 'addend' | 'weight' | 'bias' | 'mean' | 'variance', Tensor>) => [Tensor, Tensor],
): Computed {
  return scope(() => {
    const leaf = (tensor: Tensor, dtype: DType) =>
      tensor.clone().to({ dtype, ...(layout && tensor.shape.length === 4 && { channelsLast: true }) })
    const x = leaf(given.x, images).requiresGrad_()
    const addend = leaf(given.addend, images).requiresGrad_()
    const [weight, bias] = [leaf(given.weight, rest).requiresGrad_(), leaf(given.bias, rest).requiresGrad_()]
    const [mean, variance] = [leaf(given.mean, rest), leaf(given.variance, rest)]
    const [sum, y] = forward({ x, addend, weight, bias, mean, variance })
    const loss = y.to({ dtype: 'float64' }).mul(given.ofY).sum()
    const total = added ? loss.add(sum.to({ dtype: 'float64' }).mul(given.ofSum).sum()) : loss
    const wanted = added ? [x, addend, weight, bias] : [x, weight, bias]
    const found = gradients(total, wanted)
    const names = added ? ['x', 'addend', 'weight', 'bias'] : ['x', 'weight', 'bias']
    const numbers = (tensor: Tensor) => tensor.contiguous().to({ dtype: 'float64' }).numbers()
    return {
      sum: numbers(sum),
      y: numbers(y),
      ...(training && { mean: numbers(mean), variance: numbers(variance) }),
      ...Object.fromEntries(found.map((gradient, i) => [`gradient of ${names[i]}`, numbers(gradient)])),
    }
  })
}

/** By libtorch's operators. */
const composed = (given: Inputs, which: Case, added: boolean, types: { images: DType; rest: DType }) =>
  compute(given, which, { ...types, added }, ({ x, addend, weight, bias, mean, variance }) => {
    const sum = added ? x.add(addend) : x
    return [sum, libtorchBatchNorm(sum, weight, bias, mean, variance, which.training, 0.1, 1e-5, true).relu()]
  })
const reference = (given: Inputs, which: Case, added: boolean) =>
  composed(given, which, added, { images: 'float64', rest: 'float64' })

const ours = (given: Inputs, which: Case, options: { images: DType; added: boolean; layout?: boolean }) =>
  compute(given, which, { rest: 'float32', ...options }, ({ x, addend, weight, bias, mean, variance }) => {
    const rest = [weight, bias, mean, variance, which.training, 0.1, 1e-5] as const
    if (!options.added) return [x, operator('deconfound::batch_norm_relu')(x, ...rest)]
    return operator<[Tensor, Tensor]>('deconfound::add_batch_norm_relu')(x, addend, ...rest)
  })

function expectClose(actual: Computed, expected: Computed, tolerance: number): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected))
  for (const [name, values] of Object.entries(expected)) {
    const size = Math.sqrt(values.reduce((sum, each) => sum + each * each, 0) / values.length) + 1e-3
    const away = values.map((each, i) => Math.abs(each - (actual[name]?.[i] as number)) / size)
    expect(
      away.reduce((most, each) => Math.max(most, each)),
      name,
    ).toBeLessThan(tolerance)
  }
}

/** How far two lists lie apart, as a share of the second's length. */
function distance(found: readonly number[] = [], expected: readonly number[] = []): number {
  const length = (values: readonly number[]) => Math.sqrt(values.reduce((sum, each) => sum + each * each, 0))
  return length(expected.map((each, i) => each - (found[i] as number))) / length(expected)
}

const shapes = [
  [4, 16, 6, 6],
  [128, 16, 3, 3],
  [3, 5, 7, 2],
  [2, 33, 4, 9],
  [3, 64, 1, 4],
  [300, 17, 5, 5],
] as const
const cases = shapes.flatMap((shape) => [true, false].map((training): Case => ({ shape, training })))

describe.each(cases)('batch norm and ReLU of $shape, training $training', (which) => {
  it.each([false, true])('are what libtorch computes in float64, after an addition: %s', (added) => {
    const given = inputs(which)
    expectClose(ours(given, which, { images: 'float32', added }), reference(given, which, added), 2e-5)
  })

  it.each([false, true])('are that within the error of bf16, after an addition: %s', (added) => {
    const given = inputs(which)
    const expected = reference(given, which, added)
    const theirs = composed(given, which, added, { images: 'bfloat16', rest: 'float32' })
    const errors = (found: Computed) => Object.keys(expected).map((name) => distance(found[name], expected[name]))
    const [own, usual] = [errors(ours(given, which, { images: 'bfloat16', added })), errors(theirs)]
    // Values that are rounded to the other side of 0 have another mask: with libtorch's operators as well.
    for (const [i, name] of Object.keys(expected).entries())
      expect(own[i], name).toBeLessThan(1.5 * (usual[i] as number) + 0.01)
  })
})

it.each(cases)('batch norm alone of $shape, training $training, is what libtorch computes in float64', (which) => {
  const given = inputs(which)
  const alone = (name: string, types: { images: DType; rest: DType }, more: readonly unknown[] = []) =>
    compute(given, which, { ...types, added: false }, ({ x, weight, bias, mean, variance }) => [
      x,
      operator(name)(x, weight, bias, mean, variance, which.training, 0.1, 1e-5, ...(more as [])),
    ])
  const expected = alone('batch_norm', { images: 'float64', rest: 'float64' }, [true])
  expectClose(alone('deconfound::batch_norm', { images: 'float32', rest: 'float32' }), expected, 2e-5)
})

describe('the layer', () => {
  const which: Case = { shape: [4, 16, 5, 5], training: true }

  it('has gradients that finite differences give', () => {
    const given = inputs(which, 3)
    const analytic = ours(given, which, { images: 'float32', added: true })
    const loss = (changed: Inputs) => {
      const { sum, y } = reference(changed, which, true) as { sum: number[]; y: number[] }
      const along = (values: number[], weights: Tensor) =>
        weights
          .contiguous()
          .numbers()
          .reduce((total, weight, i) => total + weight * (values[i] as number), 0)
      return along(sum, given.ofSum) + along(y, given.ofY)
    }
    scope(() => {
      for (const name of ['x', 'addend', 'weight', 'bias'] as const) {
        for (const at of [0, 3, given[name].count - 1]) {
          const moved = (by: number) => {
            const numbers = given[name].numbers()
            numbers[at] = (numbers[at] as number) + by
            const changed = given[name].mul(0).add(shaped(numbers, given[name]))
            return loss({ ...given, [name]: changed })
          }
          const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5
          expect(analytic[`gradient of ${name}`]?.[at], `${name} ${at}`).toBeCloseTo(slope, 2)
        }
      }
    })
  })

  it('can be used twice, and its results more than once', () =>
    arena(async () => {
      const { x, addend } = scope(() => inputs(which))
      const layer = batchNorm(16)
      const images = (tensor: Tensor) => tensor.to({ dtype: 'float32', channelsLast: true })
      const run = (fused: boolean) =>
        scope(() => {
          const leaf = images(x.detach()).requiresGrad_()
          const relu = (input: Tensor) => (fused ? layer.relu(input, 'eval') : layer.forward(input, 'eval').relu())
          const first = relu(leaf)
          const [sum, second] = fused
            ? layer.addRelu(first, images(addend), 'eval')
            : [first.add(images(addend)), relu(first.add(images(addend)))]
          const loss = relu(second).mul(second).add(sum.square()).add(first).sum()
          return (gradients(loss, [leaf]) as [Tensor])[0].numbers()
        })
      const [a, b] = [run(true), run(false)]
      for (const [i, each] of a.entries()) expect(each).toBeCloseTo(b[i] as number, 3)
    }))

  it('sends on the gradient of the sum where nobody asks for the rest', () =>
    arena(async () => {
      const { x, addend } = scope(() => inputs(which))
      scope(() => {
        const layer = batchNorm(16)
        const leaf = x.to({ dtype: 'float32', channelsLast: true }).requiresGrad_()
        const [sum] = layer.addRelu(leaf, addend.to({ dtype: 'float32', channelsLast: true }), 'train')
        expect((gradients(sum.mul(3).sum(), [leaf]) as [Tensor])[0].numbers().every((each) => each === 3)).toBe(true)
      })
    }))

  it('has gradients of its weights where the images need none', () =>
    arena(async () => {
      const { x } = scope(() => inputs(which))
      scope(() => {
        const layer = batchNorm(16)
        const images = x.to({ dtype: 'float32', channelsLast: true })
        const wanted = [layer.parameters.weight, layer.parameters.bias] as Tensor[]
        const found = gradients(layer.forward(images, 'train').square().sum(), wanted)
        const same = gradients(layer.forward(images.clone().requiresGrad_(), 'train').square().sum(), wanted)
        expect(found.map((each) => each.numbers())).toEqual(same.map((each) => each.numbers()))
      })
    }))

  it('gives the same bits with any number of threads', () =>
    arena(async () => {
      const large: Case = { shape: [64, 16, 32, 32], training: true }
      const given = inputs(large)
      const bits = [1, 2].map((threads) => {
        useThreads(threads)
        return JSON.stringify(ours(given, large, { images: 'bfloat16', added: true }))
      })
      useThreads(1)
      expect(bits[0]).toBe(bits[1])
    }))

  it('keeps what is not a number visible', () =>
    scope(() => {
      const layer = batchNorm(16)
      const x = inputs(which).x.to({ dtype: 'bfloat16', channelsLast: true })
      noGrad(() => x.narrow(0, 0, 1).fill_(Number.NaN))
      expect(
        noGrad(() => layer.relu(x, 'eval'))
          .numbers()
          .filter(Number.isNaN).length,
      ).toBe(16 * 25)
    }))

  it('is composed of libtorch’s operators where the layout is another', () => {
    const given = inputs(which)
    expectClose(
      ours(given, which, { images: 'float32', added: true, layout: false }),
      reference(given, which, true),
      2e-5,
    )
  })

  it('takes values far from 0', () => {
    const given = inputs(which)
    const far = { ...given, x: scope(() => given.x.add(1000)) }
    const expected = reference(far, which, false)
    expectClose(ours(far, which, { images: 'float32', added: false }), expected, 2e-3)
  })

  it('leaves no tensors behind', () => {
    const before = liveTensors()
    scope(() => ours(inputs(which), which, { images: 'float32', added: true }))
    expect(liveTensors()).toBe(before)
  })
})

function shaped(numbers: readonly number[], like: Tensor): Tensor {
  return scope(() => tensor(Float64Array.from(numbers), like.shape).to({ device }))
}
