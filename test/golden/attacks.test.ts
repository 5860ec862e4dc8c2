import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { mix } from '../../src/attacks/blend.ts'
import { warpGrid } from '../../src/attacks/wanet.ts'
import { warp } from '../../src/attacks/warp.ts'
import { craftAttack } from '../../src/experiment/prepare/craft.ts'
import { silent } from '../../src/experiment/prepare/listener.ts'
import { resolveConfig } from '../../src/experiment/settings/config.ts'
import { arena } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { type ImageShape, imageSet } from '../../src/training/images.ts'
import { compute } from '../device.ts'
import { type Checksum, expectTensor, type Formula, formula, readGolden } from './golden.ts'

type Case = {
  readonly name: string
  readonly images: Formula
  readonly sha256: string
  readonly ties: { readonly indices: readonly number[]; readonly values: readonly number[] }
  readonly rows: readonly { readonly at: readonly [number, number, number]; readonly pixels: readonly number[] }[]
} & (
  | { readonly settings: Readonly<Record<string, unknown>> }
  | { readonly picture: Formula; readonly opacity: number }
  | { readonly noise: Formula; readonly strength: number; readonly grid: Checksum }
)

const { cases } = readGolden<{ cases: Case[] }>('attacks.json')

it.each(cases)('$name: the pixels are those of the paper’s formula', (each) =>
  arena(async () => {
    const images = bytesOf(each.images)
    const [, ...shape] = images.shape as [number, ...ImageShape]
    const trigger = await triggerOf(each, images, shape)
    expectBytes(trigger(images), each, shape)
  }),
)

/** A formula tensor as bytes on the CPU, which is where attacks work. */
const bytesOf = (given: Formula) =>
  formula(given).to({ device: 'cpu' }).round().clamp(0, 255).to({ device: 'cpu', dtype: 'uint8' })

async function triggerOf(each: Case, images: Tensor, shape: ImageShape): Promise<(images: Tensor) => Tensor> {
  if ('picture' in each) {
    const picture = bytesOf(each.picture).to({ dtype: 'float32' })
    return (images) => mix(images, picture, each.opacity)
  }
  if ('noise' in each) {
    const grid = warpGrid(formula(each.noise).to({ device: 'cpu' }), { shape, strength: each.strength })
    expectTensor(grid, each.grid, 1e-6, 'the grid')
    return (images) => warp(images, grid, { border: 'black' })
  }
  const labels = new Int32Array(images.shape[0] as number)
  const names = Array.from(labels, String)
  const train = imageSet({ pixels: images.bytes(), labels, names, shape, classes: ['a', 'b'] })
  const { attack } = await craftAttack(resolveConfig(each.settings), train, { compute, listener: silent })
  return (images) => attack.trigger(images, labels)
}

/** Fails where a pixel differs at all, or at a tie by more than 1. */
function expectBytes(actual: Tensor, { sha256, ties, rows }: Case, [channels, height, width]: ImageShape): void {
  expect([actual.dtype, actual.shape.slice(1)]).toEqual(['uint8', [channels, height, width]])
  const bytes = actual.bytes().slice()
  ties.indices.forEach((index, i) => {
    const expected = ties.values[i] as number
    expect(Math.abs((bytes[index] as number) - expected), `tie at ${index}`).toBeLessThanOrEqual(1)
    bytes[index] = expected
  })
  for (const { at, pixels } of rows) {
    const [image, channel, row] = at
    const from = ((image * channels + channel) * height + row) * width
    expect([...bytes.subarray(from, from + width)], `row ${row} of channel ${channel} of image ${image}`).toEqual(
      pixels,
    )
  }
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
}
