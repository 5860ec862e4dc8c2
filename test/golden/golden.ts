import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { wrn } from '../../src/models/wrn.ts'
import type { Normalization } from '../../src/nn/classifier.ts'
import { type Module, moveTo, type NamedTensors } from '../../src/nn/module.ts'
import { Random } from '../../src/tensor/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { noGrad, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { compute, device } from '../device.ts'

// Reads what make.py wrote; README.md describes the fields.

/** A tensor given by the formula; element i is offset + scale · sin(seed · 12.9898 + i · 0.618). */
export interface Formula {
  readonly seed: number
  readonly shape: readonly number[]
  readonly scale: number
  readonly offset: number
}

/** A recorded tensor: all of its values, or a checksum. */
export type Recorded = Whole | Checksum
export interface Whole {
  readonly shape: readonly number[]
  readonly values: readonly number[]
}
export interface Checksum {
  readonly shape: readonly number[]
  readonly sum: number
  readonly squares: number
  readonly cosine: number
  readonly head: readonly number[]
}

export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as T
}

/** float32 on the test's device. */
export function formula({
  seed,
  shape,
  scale = 1,
  offset = 0,
}: Partial<Formula> & Pick<Formula, 'seed' | 'shape'>): Tensor {
  const count = shape.reduce((product, length) => product * length, 1)
  const values = Float32Array.from({ length: count }, (_, i) => offset + scale * Math.sin(seed * 12.9898 + i * 0.618))
  return scope(() => tensor(values, shape).to({ device }))
}

/** int64 on the test's device. */
export function integers(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  return scope(() => tensor(Int32Array.from(values), shape, 'int64').to({ device }))
}

/** Fails where a tensor differs from what was recorded by more than `t` of its size (its root mean square, at least). */
export function expectTensor(actual: Tensor, expected: Recorded, t: number, name = 'the tensor'): void {
  expect(actual.shape, `shape of ${name}`).toEqual([...expected.shape])
  const values = actual.numbers()
  if ('values' in expected) {
    const largest = Math.max(...expected.values.map(Math.abs))
    expectNear(values, expected.values, t * Math.max(largest, 1e-30), name)
    return
  }
  const squares = values.reduce((sum, x) => sum + x * x, 0)
  const size = Math.sqrt(values.length * expected.squares)
  expectNear([squares], [expected.squares], 2 * t * expected.squares + 1e-30, `squares of ${name}`)
  expectNear([values.reduce((sum, x) => sum + x, 0)], [expected.sum], t * size + 1e-30, `sum of ${name}`)
  const cosine = values.reduce((sum, x, i) => sum + x * Math.cos(i), 0)
  expectNear([cosine], [expected.cosine], t * size + 1e-30, `cosine of ${name}`)
  const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  expectNear(values.slice(0, 8), expected.head, t * largest + 1e-30, `head of ${name}`)
}

/** Fails where two lists differ by more than `most` anywhere. */
export function expectNear(actual: readonly number[], expected: readonly number[], most: number, name: string): void {
  expect(actual.length, `length of ${name}`).toBe(expected.length)
  const worst = actual.reduce((at, x, i) => (away(x, expected[i]) > away(actual[at], expected[at]) ? i : at), 0)
  const distance = actual.length > 0 ? away(actual[worst], expected[worst]) : 0
  expect(distance, `${name}[${worst}]: ${actual[worst]}, expected ${expected[worst]}`).toBeLessThanOrEqual(most)
}

const away = (a: number | undefined, b: number | undefined) =>
  Object.is(a, b) ? 0 : Math.abs((a as number) - (b as number))

/** CIFAR-10's, as make.py has them. */
export const normalization: Normalization = { mean: [0.4914, 0.4822, 0.4465], deviation: [0.247, 0.2435, 0.2616] }

/** Sets weights in place. */
export function setWeights(parameters: NamedTensors, formulas: Readonly<Record<string, Formula>>): void {
  expect(Object.keys(parameters).sort()).toEqual(Object.keys(formulas).sort())
  scope(() => {
    for (const [name, each] of Object.entries(formulas)) noGrad(() => void parameters[name]?.copy_(formula(each)))
  })
}

type WrnParameters = readonly (Formula & { readonly name: string })[]

/** WRN-16-1 with 10 classes, filled as for wrn.json; `shift` moves the seeds. */
export function filledWrn({ shift = 0, normalized = true } = {}) {
  const { parameters } = readGolden<{ parameters: WrnParameters }>('wrn.json')
  const model = wrn.build(
    { depth: 16, width: 1 },
    {
      random: new Random(0),
      compute,
      classes: 10,
      shape: [3, 32, 32],
      normalization: normalized ? normalization : null,
    },
  )
  moveTo(model, device)
  setWeights(
    model.parameters,
    Object.fromEntries(parameters.map((each) => [each.name, { ...each, seed: each.seed + shift }])),
  )
  return model
}

/** The running statistics among a module's buffers. */
export function runningStatistics(module: Module): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(module.buffers).filter(([name]) => name.includes('running_')))
}

/** Compares each of some named tensors with what was recorded under its name. */
export function expectTensors(actual: NamedTensors, expected: Readonly<Record<string, Recorded>>, t: number): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort())
  for (const [name, recorded] of Object.entries(expected)) expectTensor(actual[name] as Tensor, recorded, t, name)
}
