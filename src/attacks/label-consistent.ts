import { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import { crossEntropy } from '../nn/losses.ts'
import { scope } from '../tensor/scope.ts'
import { gradients, noGrad, type Tensor } from '../tensor/tensor.ts'
import { noAugmentation } from '../training/augment.ts'
import { subset } from '../training/images.ts'
import { trainPlainly } from '../training/learn-labels.ts'
import { inOrder } from '../training/loader.ts'
import { accuracyOn } from '../training/predict.ts'
import type { TrainingContext } from '../training/training-context.ts'
import { defineAttack } from './attack.ts'
import { addNoise, type Noise, noise } from './noise.ts'
import { patches } from './patches.ts'
import { patterns } from './patterns.ts'
import { type Corner, pixelsPerCell } from './pixels.ts'

/**
 * Label-consistent attack (Turner et al. 2019): images of the target class are made hard to recognize by an adversarial
 * perturbation against a network of the attacker's, so that the trigger, a patch in each corner, is easier to learn than
 * they are. Labels stay. The network is trained plainly; the authors also use adversarially trained ones.
 */
export const labelConsistent = defineAttack({
  title: 'Label-consistent',
  paper: 'https://arxiv.org/abs/1912.02771',
  labels: 'clean',
  options: z.object({
    bound: z
      .int()
      .min(1)
      .max(127)
      .default(16)
      .describe('largest change of a pixel by the perturbation, in gray levels: ε'),
    iterations: z.int().min(1).max(1000).default(20).describe('steps of the perturbation'),
    epochs: z.int().min(1).default(10).describe('of training the network that is to be fooled'),
  }),
  async craft({ bound, iterations, epochs }, { train, target, poisoned, learned }) {
    const eligible = (y: number) => y === target
    const list = poisoned(eligible)
    const trigger = patches(train.shape, corners(pixelsPerCell(train.shape)))
    const { tensors } = await learned([[...list]], async (open) => {
      const training = open(train)
      const surrogate = await trainPlainly(training, { name: 'surrogate', epochs })
      const victims = open(subset(train, list))
      const perturbation = noise(list.length, train.shape)
      await perturb(victims, surrogate, { perturbation, bound: bound / 255, iterations })
      const report = {
        surrogateAccuracy: await accuracyOn(surrogate, training.images),
        fooled: fooledBy(victims, surrogate, perturbation),
      }
      return { tensors: { perturbation: perturbation.levels() }, report }
    })
    const perturbed = addNoise(tensors.perturbation as Tensor, list)
    return {
      trigger,
      label: () => target,
      eligible,
      poison: (images, indices) => scope(() => trigger(perturbed(images, indices))),
    }
  },
})

/** The grid of BadNets in the bottom right corner, mirrored into the others, so that a mirrored image has the same trigger. */
function corners(cell: number) {
  const side = 3 * cell
  const mirrored = (mirror: boolean, at: number) => Math.floor((mirror ? side - 1 - at : at) / cell)
  return (['bottom-right', 'bottom-left', 'top-right', 'top-left'] as readonly Corner[]).map((corner) => ({
    corner,
    side,
    margin: 0,
    opacity: 1,
    value: (_: number, row: number, column: number) =>
      patterns.grid[mirrored(corner.startsWith('top'), row)]?.[mirrored(corner.endsWith('left'), column)] as number,
  }))
}

/** Projected ascent of the cross entropy within ±bound (Madry et al. 2018), kept per image. */
async function perturb(
  victims: TrainingContext,
  surrogate: Classifier,
  { perturbation, bound, iterations }: { perturbation: Noise; bound: number; iterations: number },
): Promise<void> {
  const stage = victims.stage('perturbation', {
    epochs: 1,
    batch: victims.recipe.batch,
    augmentation: noAugmentation,
    state: { perturbation: { tensors: { values: perturbation.values } } },
  })
  const step = (2.5 * bound) / iterations
  for await (const { images, labels, indices } of stage) {
    let delta = perturbation.read(indices, images.device)
    for (let i = 0; i < iterations; i++) {
      const next = scope(() => {
        const free = delta.detach().clone().requiresGrad_()
        const loss = crossEntropy(surrogate.forward(images.add(free), 'eval').logits, labels)
        const [gradient] = gradients(loss, [free]) as [Tensor]
        const moved = delta.add(gradient.sign().mul(step)).clamp(-bound, bound)
        return images.add(moved).clamp(0, 1).sub(images)
      })
      delta.free()
      delta = next
    }
    perturbation.write(indices, delta)
    delta.free()
  }
}

/** Share of the perturbed images that the network no longer takes for what they are. */
function fooledBy({ images }: TrainingContext, surrogate: Classifier, { read }: Noise): number {
  let fooled = 0
  for (const rows of inOrder(images.count, 250)) {
    fooled += scope(() =>
      noGrad(() => {
        const batch = images.images(rows)
        const { logits } = surrogate.forward(batch.add(read(rows, batch.device)), 'eval', 'fp32')
        return logits.argmax(1).ne(images.labelsOf(rows)).to({ dtype: 'float32' }).sum().item()
      }),
    )
  }
  return fooled / Math.max(1, images.count)
}
