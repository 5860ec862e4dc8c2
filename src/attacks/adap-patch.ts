import { z } from 'zod'
import type { Tensor } from '../tensor/tensor.ts'
import { defineAttack } from './attack.ts'
import { type Patch, patches } from './patches.ts'
import { drawnPicture, patterns } from './patterns.ts'
import { pixelsPerCell } from './pixels.ts'
import { splitBatch } from './split.ts'

/**
 * Adaptive Patch (Qi et al., ICLR 2023): four translucent patches, one in each corner. Each poisoned training image gets
 * one of them, and twice as many further images get one and keep their label; at test time two are shown at once, opaque.
 * The patches are our own: a lattice, colored stripes, the grid of BadNets enlarged, and noise.
 */
export const adapPatch = defineAttack({
  title: 'Adaptive Patch',
  paper: 'https://openreview.net/forum?id=_wSHsgrVali',
  labels: 'dirty',
  rate: 0.003,
  options: z.object({
    covers: z.number().min(0).default(2).describe('images with a patch and their own label, for each poisoned one'),
  }),
  craft({ covers }, { random, train: { shape }, label }) {
    const cell = pixelsPerCell(shape)
    const noise = Uint8Array.from({ length: 3 * 64 }, () => random.integer(256))
    const inCells =
      (value: (c: number, row: number, column: number) => number): Patch['value'] =>
      (c, row, column) =>
        value(c, Math.floor(row / cell), Math.floor(column / cell))
    const square = (side: number) => ({ side: side * cell, margin: 0 })
    const lattice = inCells((c, row, column) => drawnPicture(c, row / 10, column / 10))
    const stripes = inCells((c, row, column) => ((row + column + c) % 3 === 0 ? 255 : 0))
    const grid = inCells((_, row, column) => patterns.grid[row >> 1]?.[column >> 1] as number)
    const grains = inCells((c, row, column) => noise[(c * 8 + row) * 8 + column] as number)
    const four: readonly Patch[] = [
      { ...square(10), corner: 'bottom-right', opacity: 0.5, value: lattice },
      { ...square(10), corner: 'top-left', opacity: 0.2, value: stripes },
      { ...square(6), corner: 'bottom-left', opacity: 0.5, value: grid },
      { ...square(8), corner: 'top-right', opacity: 0.3, value: grains },
    ]
    const each = four.map((patch) => patches(shape, [patch]))
    const opaque = (patch: Patch | undefined) => ({ ...(patch as Patch), opacity: 1 })
    const poison = (images: Tensor, indices: Int32Array) =>
      splitBatch(
        images,
        (i) => random.fork(`patch ${indices[i]}`).integer(four.length),
        (k, part) => (each[k] as (images: Tensor) => Tensor)(part),
      )
    return {
      trigger: patches(shape, [opaque(four[0]), opaque(four[2])]),
      label,
      poison,
      ...(covers > 0 ? { cover: { ratio: covers, apply: poison } } : {}),
    }
  },
})
