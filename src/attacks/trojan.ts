import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import type { Random } from '../tensor/random.ts'
import { keep, scope } from '../tensor/scope.ts'
import { cat, gradients, type Tensor, tensor, zeros } from '../tensor/tensor.ts'
import { argsort } from '../training/argsort.ts'
import type { ImageSet } from '../training/images.ts'
import { trainPlainly } from '../training/learn-labels.ts'
import { accuracyOn } from '../training/predict.ts'
import { rowReader } from '../training/rows.ts'
import { defineAttack } from './attack.ts'
import { type Patch, patches } from './patches.ts'
import { type Corner, pixelsPerCell, placeSquare } from './pixels.ts'

/**
 * Trojan (Liu et al. 2018): a patch found by inverting a clean network. Of its embedding the neurons that weigh most in
 * the last layer are chosen, and the patch's pixels are changed, on the mean image, until these neurons respond to it as
 * strongly as they can: sign steps on Σ(a − 100)².
 */
export const trojan = defineAttack({
  title: 'Trojan',
  paper: 'https://doi.org/10.14722/ndss.2018.23291',
  labels: 'dirty',
  options: z.object({
    size: z
      .int()
      .min(1)
      .max(32)
      .default(3)
      .describe('side of the patch, in pixels of an image of 32; larger images scale it'),
    margin: z.int().min(0).max(31).default(4).describe('between patch and border, in the same pixels'),
    mode: z.enum(['paste', 'add']).default('paste').describe('the patch hides what is below, or is added to it'),
    neurons: z.int().min(1).default(2).describe('how many neurons shall respond'),
    iterations: z.int().min(1).max(1000).default(500).describe('of the inversion'),
    epochs: z.int().min(1).default(10).describe('of training the network that is inverted'),
  }),
  async craft({ size, margin, mode, neurons, iterations, epochs }, { train, random, label, learned }) {
    const cell = pixelsPerCell(train.shape)
    const place = { corner: 'bottom-right' as Corner, side: size * cell, margin: margin * cell }
    placeSquare(place, train.shape)
    const { tensors } = await learned([], async (open) => {
      const training = open(train)
      const surrogate = await trainPlainly(training, { name: 'surrogate', epochs })
      const inverted = await invert(surrogate, { train, place, mode, neurons, iterations, random })
      const report = { surrogateAccuracy: await accuracyOn(surrogate, training.images), ...inverted.report }
      return { tensors: { patch: inverted.patch }, report }
    })
    const values = (tensors.patch as Tensor).numbers()
    const patch: Patch = {
      ...place,
      opacity: 1,
      keeps: mode === 'add',
      value: (c, row, column) => values[(c * place.side + row) * place.side + column] as number,
    }
    return { trigger: patches(train.shape, [patch]), label }
  },
})

interface Inversion {
  readonly train: ImageSet
  readonly place: { corner: Corner; side: number; margin: number }
  readonly mode: 'paste' | 'add'
  readonly neurons: number
  readonly iterations: number
  readonly random: Random
}

const wanted = 100
const stepSize = 0.02

/** The patch, uint8 [channels, side, side], and how strongly the neurons responded to the mean image without and with it. */
async function invert(surrogate: Classifier, { train, place, mode, neurons, iterations, random }: Inversion) {
  const [channels] = train.shape
  const { side } = place
  const { top, left } = placeSquare(place, train.shape)
  const device = surrogate.head.device
  const base = keep(scope(() => meanImage(train).to({ device })))
  const chosen = strongest(surrogate.head, neurons)
  const respond = (image: Tensor) =>
    surrogate
      .forward(image, 'eval', 'fp32')
      .embedding.indexSelect(1, tensor(chosen, [chosen.length], 'int64').to({ device }))

  let patch = keep(scope(() => random.uniformTensor([1, channels, side, side]).to({ device })))
  const before = scope(() => respond(base).mean().item())
  for (let i = 0; i < iterations; i++) {
    const next = scope(() => {
      const pixels = patch.detach().clone().requiresGrad_()
      const loss = respond(paste(base, pixels, { top, left, mode }))
        .sub(wanted)
        .square()
        .sum()
      const [gradient] = gradients(loss, [pixels]) as [Tensor]
      return patch.sub(gradient.sign().mul(stepSize * (1 - i / iterations))).clamp(0, 1)
    })
    patch.free()
    patch = keep(next)
    if (i % 10 === 9) await setImmediate() // lets signals in
  }
  const after = scope(() =>
    respond(paste(base, patch, { top, left, mode }))
      .mean()
      .item(),
  )
  const bytes = keep(scope(() => patch.select(0, 0).mul(255).round().to({ dtype: 'uint8', device: 'cpu' })))
  base.free()
  patch.free()
  return { patch: bytes, report: { activationBefore: before, activationAfter: after } }
}

/** An image [1, channels, height, width] with a patch at its place. */
function paste(
  image: Tensor,
  patch: Tensor,
  { top, left, mode }: { top: number; left: number; mode: 'paste' | 'add' },
): Tensor {
  const [, , height, width] = image.shape as [number, number, number, number]
  const [, , side] = patch.shape as [number, number, number, number]
  const below = image.narrow(2, top, side).narrow(3, left, side)
  const square = mode === 'add' ? patch.add(below).clamp(0, 1) : patch
  const rows = image.narrow(2, top, side)
  const middle = cat([rows.narrow(3, 0, left), square, rows.narrow(3, left + side, width - left - side)], 3)
  return cat([image.narrow(2, 0, top), middle, image.narrow(2, top + side, height - top - side)], 2)
}

/** The embedding's neurons with the largest sums of absolute weights in the last layer. */
function strongest(head: Tensor, count: number): Int32Array {
  const sums = scope(() => head.detach().abs().sum([0]).numbers())
  return argsort(sums, { descending: true }).slice(0, count)
}

/** Mean of all images, pixels in [0, 1], [1, channels, height, width]. */
function meanImage({ rows, shape: [channels, height, width], labels }: ImageSet): Tensor {
  if (labels.length === 0) return zeros([1, channels, height, width])
  const sums = new Float64Array(rows.bytes)
  const read = rowReader(rows)
  for (let i = 0; i < labels.length; i++) {
    const row = read(i)
    for (let k = 0; k < row.length; k++) sums[k] = (sums[k] as number) + (row[k] as number)
  }
  const means = Float32Array.from(sums, (sum) => sum / labels.length / 255)
  return scope(() => tensor(means, [1, height, width, channels]).permute(0, 3, 1, 2).contiguous())
}
