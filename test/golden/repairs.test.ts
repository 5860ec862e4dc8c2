import { expect, it } from 'vitest'
import { keptUp } from '../../src/defenses/abl.ts'
import { bezier, curveGradient } from '../../src/defenses/mcr.ts'
import { attentionDistance } from '../../src/defenses/nad/attention.ts'
import { crossEntropy } from '../../src/nn/losses.ts'
import { scope } from '../../src/tensor/scope.ts'
import { gradients, noGrad, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { tolerance } from '../device.ts'
import { expectNear, expectTensor, formula, integers, type Recorded, readGolden } from './golden.ts'

const golden = readGolden<{
  attention: { distance: number; gradient: Recorded }
  bezier: { t: number; decay: number; point: Recorded; gradient: Recorded }
  keptUp: readonly {
    isolation: 'ascent' | 'flooding'
    loss: number
    level: number
    value: number
    slope: number
  }[]
}>('repairs.json')

it('attention distance, with its gradient', () =>
  scope(() => {
    const student = formula({ seed: 1, shape: [3, 5, 4, 4], offset: 0.2 }).requiresGrad_()
    const teacher = formula({ seed: 2, shape: [3, 5, 4, 4], scale: 0.7, offset: -0.1 })
    const distance = attentionDistance(student, teacher)
    const [gradient] = gradients(distance, [student]) as [Tensor]
    expectNear([distance.item()], [golden.attention.distance], tolerance(1e-6), 'the distance')
    expectTensor(gradient, golden.attention.gradient, tolerance(1e-5))
  }))

it('a point of the Bézier curve, and the gradient of its middle', () =>
  scope(() => {
    const { t, decay, point, gradient } = golden.bezier
    const [w1, w2, middle] = [3, 4, 5].map((seed) => formula({ seed, shape: [4, 6] })) as [Tensor, Tensor, Tensor]
    const phi = bezier(w1, middle, w2, t).requiresGrad_()
    expectTensor(phi.detach(), point, tolerance(1e-6))
    const loss = crossEntropy(
      formula({ seed: 6, shape: [5, 6] }).matmul(phi.transpose(0, 1)),
      integers([0, 1, 2, 3, 0]),
    )
    const [slope] = gradients(loss, [phi]) as [Tensor]
    const found = noGrad(() => curveGradient(slope, phi.detach(), { t, decay }))
    expectTensor(found, gradient, tolerance(1e-5))
  }))

it.each(golden.keptUp)('a loss of $loss kept up by $isolation', ({ isolation, loss, level, value, slope }) =>
  scope(() => {
    const x = tensor([loss], [1]).requiresGrad_()
    const kept = keptUp(x, { isolation, level })
    const [gradient] = gradients(kept.sum(), [x]) as [Tensor]
    expect(kept.numbers()[0]).toBeCloseTo(value, 6)
    expect(gradient.numbers()[0]).toBeCloseTo(slope, 6)
  }),
)
