import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { stateOf } from '../nn/module.ts'
import { scope } from '../tensor/scope.ts'
import { gradients, noGrad, operator, type Tensor, tensor } from '../tensor/tensor.ts'
import { noAugmentation } from '../training/augment.ts'
import { inOrder } from '../training/loader.ts'
import { optimizerOf } from '../training/optimizer-of.ts'
import type { TrainingContext } from '../training/training-context.ts'
import { defineAttack } from './attack.ts'
import { addNoise, type Noise, noise } from './noise.ts'

const indexCopy = operator('index_copy')

/**
 * The adaptive attack of CBD's authors (Zhang et al. 2023, section 5.3): a noise on the poisoned training images, on top
 * of any trigger, that makes the poison hard to learn early, which is what their defense lives on. While a network f is
 * trained, the noise of each poisoned image climbs its loss. At test time the trigger is shown alone.
 *
 * The bound is 2 gray levels where the authors write 8/255: at 8 the noise itself, whose fine texture all poisoned images
 * share, becomes the trigger that a network learns in place of the shown one (docs/log.md). Two levels are 8/255 of an
 * input divided by its standard deviation, about a quarter. While δ climbs, x + δ may leave [0, 1] by up to the bound; f learns, and
 * the poison shows, clamp(x + δ, 0, 1). (Label-consistent projects at every step.)
 *
 * | paper | here |
 * |---|---|
 * | δ, its bound 8/255 | noise, bound |
 * | M ascent steps of 0.002 | iterations, step |
 * | f | a network of the attacker's, trained without augmentation, so that δ stays where it is |
 */
export const adaptive = defineAttack({
  title: 'Adaptive attack on CBD',
  paper: 'https://arxiv.org/abs/2303.06818',
  labels: 'base',
  parts: { base: ['dirty', 'clean'] },
  options: z.object({
    base: z.string().default('badnets').describe('the attack whose trigger it uses; its options are attack.base.…'),
    bound: z.int().min(0).max(127).default(2).describe('largest change of a pixel by the noise, in gray levels'),
    iterations: z.int().min(1).default(5).describe('ascent steps on each batch: M'),
    step: z.number().positive().default(0.51).describe('length of an ascent step, in gray levels'),
    epochs: z.int().min(1).default(10).describe('of training the network against which the noise climbs'),
  }),
  async craft({ bound, iterations, step, epochs }, view) {
    const base = await view.part('base')
    const list = view.poisoned(base.eligible)
    const set = view.poison(base)
    const listed = createHash('sha256')
      .update(JSON.stringify([...list]))
      .digest('hex')
    const { tensors } = await view.learned([set.hash, listed], async (open) => {
      const training = open(set)
      const delta = noise(list.length, set.shape)
      const climbing = { delta, list, bound: bound / 255, iterations, step: step / 255, epochs }
      const f = await climb(training, climbing)
      const report = { lossWithout: lossOn(training, f, list), lossWith: lossOn(training, f, list, delta) }
      return { tensors: { noise: delta.levels() }, report }
    })
    const withNoise = addNoise(tensors.noise as Tensor, list)
    const triggered = (images: Tensor, indices: Int32Array) =>
      base.trigger(
        images,
        indices.map((i) => view.train.labels[i] as number),
      )
    const poisonedByBase = base.poison ?? triggered
    return { ...base, poison: (images, indices) => scope(() => withNoise(poisonedByBase(images, indices), indices)) }
  },
})

interface Climbing {
  readonly delta: Noise
  /** the image of each row of the noise */
  readonly list: Int32Array
  readonly bound: number
  readonly iterations: number
  readonly step: number
  readonly epochs: number
}

/** Trains f while the noise climbs its loss: min over f, max over δ. */
async function climb(training: TrainingContext, { delta, list, bound, iterations, step, epochs }: Climbing) {
  const { recipe, compute } = training
  const f = training.model('f')
  const optimizer = optimizerOf(recipe, f.parameters)
  const rowOf = new Map(Array.from(list, (index, row) => [index, row]))
  const state = { f: stateOf(f), optimizer, delta: { tensors: { values: delta.values } } }
  const stage = training.stage('noise', { ...recipe, epochs, augmentation: noAugmentation, state })
  for await (const { images, labels, indices, step: at, steps, report } of stage) {
    scope(() => {
      const places = Int32Array.from(indices.keys()).filter((i) => rowOf.has(indices[i] as number))
      const perturbed = places.length > 0 ? disturb() : images
      const { logits } = f.forward(perturbed, 'train')
      const loss = optimizer.step(crossEntropy(logits, labels), recipe.schedule(at, steps))
      report({ loss, accuracy: accuracy(logits, labels) })

      function disturb(): Tensor {
        const rows = places.map((i) => rowOf.get(indices[i] as number) as number)
        const where = tensor(places, [places.length], 'int64').to({ device: compute.device })
        const [poison, wanted] = [images.indexSelect(0, where), labels.indexSelect(0, where)]
        let noise = delta.read(rows, compute.device)
        for (let m = 0; m < iterations; m++) {
          noise = scope(() => {
            const free = noise.detach().clone().requiresGrad_()
            const loss = crossEntropy(f.forward(poison.add(free), 'eval').logits, wanted)
            const [gradient] = gradients(loss, [free]) as [Tensor]
            return noise.add(gradient.sign().mul(step)).clamp(-bound, bound) // δ ← clip(δ + 0.002·sign ∇ CE)
          })
        }
        delta.write(rows, noise)
        return indexCopy(images, 0, where, poison.add(noise).clamp(0, 1))
      }
    })
  }
  return f
}

/** Mean cross entropy of the poisoned images under f, with or without the noise. */
function lossOn({ images }: TrainingContext, f: Classifier, list: Int32Array, delta?: Noise): number {
  let sum = 0
  for (const rows of inOrder(list.length, 250)) {
    const indices = rows.map((row) => list[row] as number)
    sum += scope(() =>
      noGrad(() => {
        const batch = images.images(indices)
        const seen = delta ? batch.add(delta.read(rows, batch.device)).clamp(0, 1) : batch
        return crossEntropy(f.forward(seen, 'eval', 'fp32').logits, images.labelsOf(indices)).item() * rows.length
      }),
    )
  }
  return sum / Math.max(1, list.length)
}
