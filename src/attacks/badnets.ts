import { z } from 'zod'
import { UserError } from '../errors.ts'
import { keep, scope } from '../tensor/scope.ts'
import { tensor, where } from '../tensor/tensor.ts'
import { defineAttack } from './attack.ts'

/** A 3×3 patch; rows from the top, columns from the left. */
const patterns = {
  grid: [
    [0, 0, 255],
    [0, 255, 0],
    [255, 0, 255],
  ],
  white: [
    [255, 255, 255],
    [255, 255, 255],
    [255, 255, 255],
  ],
} as const

/**
 * BadNets (Gu et al. 2017): a small patch in a corner. `grid` from the last row upwards, columns from the last
 * leftwards: (255, 0, 255), (0, 255, 0), (255, 0, 0). The patch grows with the image: one cell per 32 pixels of height.
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
    size: z
      .int()
      .min(0)
      .default(0)
      .describe('side of the patch in pixels, a multiple of 3; 0: 3 per 32 pixels of height'),
  }),
  craft({ pattern, position, margin, size }, { train, target }) {
    const [channels, height, width] = train.shape
    const cell = size > 0 ? size / 3 : Math.max(1, Math.round(height / 32))
    const side = 3 * cell
    if (!Number.isInteger(cell))
      throw new UserError('usage', `Cannot make a patch of ${size} pixels: its side must be a multiple of 3`)
    if (side + margin > Math.min(height, width)) {
      throw new UserError(
        'usage',
        `Cannot place a patch of ${side} pixels with a margin of ${margin} on images of ${height}×${width}`,
      )
    }
    const top = position.startsWith('bottom') ? height - margin - side : margin
    const left = position.endsWith('right') ? width - margin - side : margin
    const values = new Uint8Array(height * width)
    const covered = new Uint8Array(height * width)
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const at = (top + row) * width + left + column
        values[at] = patterns[pattern][Math.floor(row / cell)]?.[Math.floor(column / cell)] as number
        covered[at] = 1
      }
    }
    const patch = keep(tensor(values, [1, 1, height, width]))
    const mask = keep(tensor(covered, [1, 1, height, width], 'bool'))
    return {
      trigger: (images) => scope(() => where(mask, patch.expand(1, channels, height, width), images)),
      label: () => target,
    }
  },
})
