import { expect, it } from 'vitest'
import { linear } from '../../src/nn/linear.ts'
import { join, moveTo } from '../../src/nn/module.ts'
import { spectralNorm } from '../../src/nn/spectral-norm.ts'
import { Random } from '../../src/tensor/random.ts'
import { arena, scope } from '../../src/tensor/scope.ts'
import { clearGradients, noGrad, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { device, tolerance } from '../device.ts'
import {
  type Checksum,
  expectNear,
  expectTensor,
  type Formula,
  formula,
  type Recorded,
  readGolden,
  setWeights,
} from './golden.ts'

interface After {
  readonly sigma: number
  readonly u: Recorded
  readonly v: Recorded
  readonly weight: Checksum
  readonly output: Checksum
}

const golden = readGolden<
  Record<'weight' | 'bias' | 'u' | 'v' | 'input', Formula> & {
    afterOne: After & { weightSeed: number; gradient: Checksum }
    afterThree: After
  }
>('spectral.json')

it('spectral normalization gives PyTorch’s singular value, weight, output and gradient', () =>
  arena(async () => {
    const random = new Random(0)
    const layer = spectralNorm(random, linear(random, { from: 128, to: 64 }))
    moveTo(join({ layer }), device)
    setWeights(layer.parameters, { weight: golden.weight, bias: golden.bias })
    scope(() => {
      const normalized = (given: Formula) => {
        const vector = formula(given)
        return vector.div(vector.norm())
      }
      noGrad(() => layer.buffers.u.copy_(normalized(golden.u)))
      noGrad(() => layer.buffers.v.copy_(normalized(golden.v)))
    })
    const weight = layer.parameters.weight as Tensor
    const t = tolerance(1e-5)
    const expectState = (output: Tensor, expected: After) => {
      const { u, v } = layer.buffers
      expectTensor(output.detach(), expected.output, t, 'output')
      expectTensor(u, expected.u, t, 'u')
      expectTensor(v, expected.v, t, 'v')
      expectNear([u.matmul(weight.matmul(v)).item()], [expected.sigma], t * expected.sigma, 'sigma')
      // What evaluation makes of the unit vectors is the effective weight, and it iterates no further.
      const unit = tensor(
        Float32Array.from({ length: 128 * 128 }, (_, i) => (i % 129 === 0 ? 1 : 0)),
        [128, 128],
      ).to({ device })
      const effective = layer
        .forward(unit, 'eval')
        .sub(layer.parameters.bias as Tensor)
        .transpose(0, 1)
      expectTensor(effective.detach(), expected.weight, t, 'effective weight')
      expectTensor(u, expected.u, t, 'u after evaluation')
    }
    scope(() => {
      const output = layer.forward(formula(golden.input), 'train')
      const factors = formula({ seed: golden.afterOne.weightSeed, shape: output.shape })
      output.mul(factors).sum().backward()
      expectTensor(weight.grad as Tensor, golden.afterOne.gradient, t, 'gradient')
      clearGradients([weight])
      expectState(output, golden.afterOne)
      layer.forward(formula(golden.input), 'train')
      expectState(layer.forward(formula(golden.input), 'train'), golden.afterThree)
      expect(layer.buffers.u.requiresGrad).toBe(false)
    })
  }))
