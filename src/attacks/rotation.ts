import { z } from 'zod'
import { keep } from '../tensor/scope.ts'
import { defineAttack } from './attack.ts'
import { gridOf, warp } from './warp.ts'

/**
 * Rotation (Wu et al. 2022, "Just Rotate it"): the image is turned about its middle, as a camera held askew. What comes in at the corners
 * is the image mirrored, so that no black corner betrays the turn.
 */
export const rotation = defineAttack({
  title: 'Rotation',
  paper: 'https://arxiv.org/abs/2207.10825',
  labels: 'dirty',
  options: z.object({
    degrees: z.number().min(-180).max(180).default(20).describe('of the turn, clockwise'),
  }),
  craft({ degrees }, { train: { shape }, label }) {
    const angle = (Math.PI / 180) * degrees
    const [sine, cosine] = [Math.sin(angle), Math.cos(angle)]
    const [middle, center] = [(shape[1] - 1) / 2, (shape[2] - 1) / 2]
    const grid = keep(
      gridOf(shape, (y, x) => [
        middle + cosine * (y - middle) - sine * (x - center),
        center + sine * (y - middle) + cosine * (x - center),
      ]),
    )
    return { trigger: (images) => warp(images, grid, { border: 'mirrored' }), label }
  },
})
