import { expect, it } from 'vitest'
import { mix, sharpen } from '../../src/defenses/dbd/mixmatch.ts'
import { contrast } from '../../src/defenses/dbd/nt-xent.ts'
import { makeViews } from '../../src/defenses/dbd/simclr-views.ts'
import { crossEntropy, softCrossEntropy, symmetricCrossEntropyEach } from '../../src/nn/losses.ts'
import { scope } from '../../src/tensor/scope.ts'
import { gradients, type Tensor } from '../../src/tensor/tensor.ts'
import { tolerance } from '../device.ts'
import { expectNear, expectTensor, type Formula, formula, integers, type Recorded, readGolden } from './golden.ts'

interface Expected {
  readonly output: Recorded
  readonly gradients: readonly Recorded[]
}

const golden = readGolden<{
  symmetric: (Expected & { logits: Formula; labels: number[] })[]
  contrast: (Expected & { temperature: number; projections: Formula })[]
  sharpened: (Expected & { temperature: number; logits: [Formula, Formula] })[]
  mixed: Record<'images' | 'logits' | 'distributions' | 'shares', Formula> & { partners: number[] } & Record<
      'mixture' | 'labelled' | 'unlabelled',
      Expected
    >
  views: { draws: number[][]; cases: { images: Formula; outputs: Recorded[] }[] }
}>('dbd.json')

/** Compares a function's value and its gradients with those recorded. */
function expectLike(expected: Expected, inputs: readonly Formula[], compute: (...inputs: Tensor[]) => Tensor): void {
  scope(() => {
    const tensors = inputs.map((input) => formula(input).requiresGrad_())
    const output = compute(...tensors)
    expectTensor(output, expected.output, tolerance(4e-6), 'the output')
    if (expected.gradients.length === 0) return
    gradients(output.sum(), tensors).forEach((gradient, i) => {
      expectTensor(gradient, expected.gradients[i] as Recorded, tolerance(1e-5), `gradient ${i}`)
    })
  })
}

it.each(golden.symmetric)('symmetric cross entropy is the paper’s, logits up to $logits.scale', (each) => {
  expectLike(each, [each.logits], (logits) => symmetricCrossEntropyEach(logits, integers(each.labels)))
})

it.each(golden.contrast)('NT-Xent at temperature $temperature is the paper’s, pair by pair', (each) => {
  expectLike(each, [each.projections], (projections) => {
    const { logits, partners } = contrast(projections, each.temperature)
    return crossEntropy(logits, partners)
  })
})

it.each(golden.sharpened)('guesses are the mean prediction, sharpened by $temperature', (each) => {
  expectLike(each, each.logits, (a, b) => sharpen((a as Tensor).softmax(1).add(b.softmax(1)).div(2), each.temperature))
})

it('mixtures of images and of distributions are MixMatch’s, and so are its losses', () => {
  const { images, logits, distributions, shares, partners, mixture, labelled, unlabelled } = golden.mixed
  const mixed = (x: Tensor, shares: Tensor) => mix(x, { partners: integers(partners), shares })
  expectLike(mixture, [images, shares], mixed)
  expectLike(labelled, [logits, distributions, shares], (x, targets, shares) =>
    softCrossEntropy(x, mixed((targets as Tensor).softmax(1), shares as Tensor)),
  )
  expectLike(unlabelled, [logits, distributions, shares], (x, targets, shares) =>
    (x as Tensor)
      .softmax(1)
      .sub(mixed((targets as Tensor).softmax(1), shares as Tensor))
      .square()
      .mean(),
  )
})

it.each(golden.views.cases)('views are cropped, mirrored, blurred and recolored as drawn: $images.shape', (each) => {
  scope(() => {
    const table = Float32Array.from(golden.views.draws.flat())
    const images = formula(each.images)
    const indices = Int32Array.from(each.outputs.keys())
    const views = makeViews(images, { table }, indices)
    for (const i of indices) expectTensor(views.select(0, i), each.outputs[i] as Recorded, tolerance(1e-5), `view ${i}`)
    // Draws belong to the sample, wherever it stands in a batch.
    const last = indices.slice(-1)
    const alone = makeViews(images.narrow(0, last[0] as number, 1), { table }, last)
    expectNear(alone.numbers(), views.narrow(0, last[0] as number, 1).numbers(), tolerance(1e-6), 'a view alone')
    expectTensor(images.select(0, 0), each.outputs[0] as Recorded, 1e-6, 'what nothing changes')
    expect(views.requiresGrad).toBe(false)
  })
})
