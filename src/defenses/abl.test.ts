import { describe, expect, it } from 'vitest'
import { scope } from '../tensor/scope.ts'
import { gradients, type Tensor, tensor } from '../tensor/tensor.ts'
import { keptUp } from './abl.ts'

type Isolation = Parameters<typeof keptUp>[1]['isolation']

/** What is minimized, and its slope for each image's loss. */
const kept = (losses: readonly number[], isolation: Isolation, level = 0.5) =>
  scope(() => {
    const each = tensor(losses, [losses.length]).requiresGrad_()
    const value = keptUp(each, { isolation, level })
    expect(value.shape).toEqual([])
    const [slope] = gradients(value, [each]) as [Tensor]
    return { value: value.item(), slope: slope.numbers() }
  })

describe('the loss of the isolating network', () => {
  it('falls for images above the level and rises for those below, by local gradient ascent', () => {
    const { value, slope } = kept([0.25, 1, 0.125, 2], 'ascent')
    expect(value).toBe((-0.25 + 1 - 0.125 + 2) / 4)
    expect(slope).toEqual([-0.25, 0.25, -0.25, 0.25])
  })

  it('falls or rises for all images of a batch alike, by flooding', () => {
    expect(kept([0.25, 1, 0.125, 2], 'flooding')).toEqual({ value: 0.84375, slope: [0.25, 0.25, 0.25, 0.25] })
    expect(kept([0.25, 0.5, 0.125, 0.125], 'flooding')).toEqual({ value: 0.75, slope: [-0.25, -0.25, -0.25, -0.25] })
  })

  it('has the same slopes by both where all images lie on one side', () => {
    for (const losses of [
      [0.75, 1, 3],
      [0.125, 0.25, 0.375],
    ])
      expect(kept(losses, 'ascent').slope).toEqual(kept(losses, 'flooding').slope)
  })
})
