import { z } from 'zod'
import { UserError } from '../errors.ts'
import { defineAttack } from './attack.ts'
import { patches } from './patches.ts'
import { patterns } from './patterns.ts'
import { pixelsPerCell } from './pixels.ts'

/**
 * BadNets (Gu et al. 2017): a small patch in a corner. `grid` from the last row upwards, columns from the last
 * leftwards: (255, 0, 255), (0, 255, 0), (255, 0, 0). The patch grows with the image: one cell per 32 pixels.
 */
export const badnets = defineAttack({
  title: 'BadNets',
  paper: 'https://arxiv.org/abs/1708.06733',
  labels: 'dirty',
  options: z.object({
    pattern: z
      .enum(['grid', 'white'])
      .default('grid')
      .describe('the patch: a colored-in grid of 3×3 cells, or all white'),
    position: z
      .enum(['bottom-right', 'bottom-left', 'top-right', 'top-left'])
      .default('bottom-right')
      .describe('its corner'),
    margin: z.int().min(0).default(0).describe('pixels between the patch and the border'),
    size: z.int().min(0).default(0).describe('side of the patch in pixels, a multiple of 3; 0: 3 per 32 pixels'),
  }),
  craft({ pattern, position, margin, size }, { train, label }) {
    const cell = size > 0 ? size / 3 : pixelsPerCell(train.shape)
    if (!Number.isInteger(cell))
      throw new UserError('usage', `Cannot make a patch of ${size} pixels: its side must be a multiple of 3`)
    const value = (_: number, row: number, column: number) =>
      patterns[pattern][Math.floor(row / cell)]?.[Math.floor(column / cell)] as number
    return { trigger: patches(train.shape, [{ corner: position, side: 3 * cell, margin, opacity: 1, value }]), label }
  },
})
