import { expect, it } from 'vitest'
import { generalizedCrossEntropyEach } from '../../src/nn/losses.ts'
import { scope } from '../../src/tensor/scope.ts'
import { cat, crossEntropyLoss, operator, stack, type Tensor, where } from '../../src/tensor/tensor.ts'
import { tolerance } from '../device.ts'
import { expectTensor, type Formula, formula, integers, type Recorded, readGolden } from './golden.ts'

type Input = (Formula & { readonly gradient: boolean }) | { readonly integers: number[]; readonly shape: number[] }

interface Case {
  readonly name: string
  readonly operator: string
  readonly inputs: readonly Input[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly outputs: readonly Recorded[]
  readonly weightSeed: number
  readonly gradients: readonly (Recorded | null)[]
}

/** A case's attributes, by the names PyTorch's Python functions give them. */
interface Attributes {
  readonly alpha: number
  readonly scalar: number
  readonly exponent: number
  readonly min: number
  readonly max: number
  readonly negative_slope: number
  readonly dim: number
  readonly keepdim: boolean
  readonly stride: number
  readonly padding: number
  readonly training: boolean
  readonly momentum: number
  readonly eps: number
  readonly kernel: number
  readonly size: number[]
  readonly align_corners: boolean
  readonly unbiased: boolean
  readonly ord: number
  readonly shape: number[]
  readonly dims: number[]
  readonly start: number
  readonly length: number
  readonly pad: number[]
  readonly threshold: number
  readonly reduction: 'none' | 'mean'
  readonly q: number
}

type Run = (inputs: [Tensor, Tensor, Tensor, Tensor, Tensor], attributes: Attributes) => Tensor | Tensor[]

const dims = (dim: unknown) => dim as number[]

/** How each operator is called: by its method where there is one, else by its dispatcher name. */
const calls: Readonly<Record<string, Run>> = {
  add: ([a, b], { alpha, scalar }) => (alpha === undefined ? a.add(scalar ?? b) : operator('add.Tensor')(a, b, alpha)),
  sub: ([a, b]) => a.sub(b),
  mul: ([a, b]) => a.mul(b),
  div: ([a, b], { scalar }) => a.div(scalar ?? b),
  maximum: ([a, b]) => operator('maximum')(a, b),
  minimum: ([a, b]) => operator('minimum')(a, b),
  neg: ([a]) => a.neg(),
  exp: ([a]) => a.exp(),
  log: ([a]) => a.log(),
  sqrt: ([a]) => a.sqrt(),
  pow: ([a], { exponent }) => a.pow(exponent),
  abs: ([a]) => a.abs(),
  clamp: ([a], { min, max }) => a.clamp(min, max),
  relu: ([a]) => a.relu(),
  leaky_relu: ([a], { negative_slope: slope }) => a.leakyRelu(slope),
  tanh: ([a]) => a.tanh(),
  sigmoid: ([a]) => a.sigmoid(),
  softplus: ([a]) => operator('softplus')(a),
  softmax: ([a], { dim }) => a.softmax(dim),
  log_softmax: ([a], { dim }) => a.logSoftmax(dim),
  matmul: ([a, b]) => a.matmul(b),
  linear: ([input, weight, bias]) => operator('linear')(input, weight, bias),
  conv2d: ([input, weight, bias], { stride, padding }) =>
    operator('conv2d')(input, weight, bias ?? null, [stride, stride], [padding, padding]),
  batch_norm: ([input, weight, bias, mean, variance], { training, momentum, eps }) => {
    const output = operator('batch_norm')(input, weight, bias, mean, variance, training, momentum, eps, true)
    return [output, mean, variance]
  },
  max_pool2d: ([a], { kernel }) => operator('max_pool2d')(a, [kernel, kernel]),
  avg_pool2d: ([a], { kernel }) => operator('avg_pool2d')(a, [kernel, kernel]),
  upsample_bilinear2d: ([a], { size, align_corners: corners }) => operator('upsample_bilinear2d')(a, size, corners),
  upsample_bicubic2d: ([a], { size, align_corners: corners }) => operator('upsample_bicubic2d')(a, size, corners),
  grid_sampler: ([a, grid], { align_corners: corners }) => operator('grid_sampler')(a, grid, 0n, 0n, corners),
  sum: ([a], { dim, keepdim }) => (dim === undefined ? a.sum() : a.sum(dims(dim), keepdim)),
  mean: ([a], { dim, keepdim }) => (dim === undefined ? a.mean() : a.mean(dims(dim), keepdim)),
  max: ([a], { dim }) => (dim === undefined ? a.max() : operator<Tensor[]>('max.dim')(a, dim)),
  'min dim': ([a], { dim }) => operator<Tensor[]>('min.dim')(a, dim),
  'max dim': ([a], { dim }) => operator<Tensor[]>('max.dim')(a, dim),
  argmax: ([a], { dim }) => a.argmax(dim),
  sort: ([a], { dim }) => operator<Tensor[]>('sort')(a, dim),
  var: ([a], { dim, unbiased }) => operator('var.dim')(a, dims(dim), unbiased),
  linalg_vector_norm: ([a], { ord, dim }) =>
    operator('linalg_vector_norm')(a, ord, dim === undefined ? null : dims(dim)),
  index_select: ([a, index], { dim }) => a.indexSelect(dim, index),
  gather: ([a, index], { dim }) => a.gather(dim, index),
  cat: ([a, b], { dim }) => cat([a, b], dim),
  stack: ([a, b], { dim }) => stack([a, b], dim),
  reshape: ([a], { shape }) => a.reshape(...shape),
  permute: ([a], { dims }) => a.permute(...dims),
  flip: ([a], { dims }) => a.flip(...dims),
  narrow: ([a], { dim, start, length }) => a.narrow(dim, start, length),
  constant_pad_nd: ([a], { pad }) => operator('constant_pad_nd')(a, pad, 0),
  where: ([a, b], { threshold }) => where(a.gt(threshold), a, b),
  cross_entropy_loss: ([logits, labels], { reduction }) => crossEntropyLoss(logits, labels, reduction),
  'generalized cross entropy': ([logits, labels], { q }) => generalizedCrossEntropyEach(logits, labels, q),
  'mean squared norm': ([z]) => z.square().sum([1]).mean(),
}

const { cases } = readGolden<{ cases: Case[] }>('operators.json')

it.each(cases)('$name gives PyTorch’s values and gradients', (each) => {
  const call = calls[each.name] ?? calls[each.operator]
  if (!call) throw new Error(`No call for operator '${each.operator}'`)
  scope(() => {
    const inputs = each.inputs.map((input) =>
      'integers' in input ? integers(input.integers, input.shape) : formula(input).requiresGrad_(input.gradient),
    )
    const result = call(inputs as unknown as Parameters<Run>[0], each.attributes as unknown as Attributes)
    const outputs = Array.isArray(result) ? result : [result]
    expect(outputs.length).toBe(each.outputs.length)
    outputs.forEach((output, i) => {
      expectTensor(output.detach(), each.outputs[i] as Recorded, tolerance(1e-5), `output ${i}`)
    })
    const [output] = outputs as [Tensor]
    if (output.requiresGrad)
      output
        .mul(formula({ seed: each.weightSeed, shape: output.shape }))
        .sum()
        .backward()
    inputs.forEach((input, i) => {
      const expected = each.gradients[i]
      if (!expected) expect(input.grad, `gradient ${i}`).toBeNull()
      else expectTensor(input.grad as Tensor, expected, tolerance(1e-5), `gradient ${i}`)
    })
  })
})
