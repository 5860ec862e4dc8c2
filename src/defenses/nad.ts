import { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { copyWeights, stateOf } from '../nn/module.ts'
import { scope } from '../tensor/scope.ts'
import { noGrad, type Tensor } from '../tensor/tensor.ts'
import { learnLabels } from '../training/learn-labels.ts'
import { optimizerOf } from '../training/optimizer-of.ts'
import type { TrainingContext } from '../training/training-context.ts'
import { defineDefense } from './defense.ts'
import { attentionDistance } from './nad/attention.ts'

/**
 * Neural attention distillation (Li et al. 2021): the backdoored model is fine-tuned on clean images and becomes a
 * teacher; then the backdoored model itself is fine-tuned on the same images while its attention after each of the last three
 * groups of layers is drawn to the teacher's.
 *
 * | paper | here |
 * |---|---|
 * | A²_sum | attentionMap |
 * | β₁, β₂, β₃ | attention1, attention2, attention3 |
 */
export const nad = defineDefense({
  title: 'Neural attention distillation',
  paper: 'https://arxiv.org/abs/2101.05930',
  assumes: 'clean images',
  repairs: {},
  stages: {
    backdoored: 'training without defense',
    teacher: 'fine-tuning the teacher',
    model: 'distilling the model',
  },
  options: z.object({
    teacherEpochs: z.int().min(1).default(10).describe('of fine-tuning the teacher on the clean images'),
    epochs: z.int().min(1).default(20).describe('of distillation'),
    rate: z
      .number()
      .positive()
      .default(0.1)
      .describe('learning rate of tuning and of distillation for their first epochs'),
    fastEpochs: z.int().min(0).default(2).describe('after so many epochs the rate falls to a tenth'),
    batch: z.int().min(2).default(64).describe('clean images per step'),
    attention1: z
      .number()
      .min(0)
      .default(500)
      .describe("weight of the attention after the last but two of the model's groups of layers"),
    attention2: z.number().min(0).default(1000).describe('after the last but one'),
    attention3: z.number().min(0).default(1000).describe('after the last'),
  }),
  presets: { paper: {}, quick: {} }, // on a few clean images the authors' lengths are short
  async train(options, view) {
    const clean = view.clean as TrainingContext
    const own = { sgd: { momentum: 0.9, weightDecay: 1e-4, nesterov: true }, ownRates: true }
    const { recipe } = view
    const { batch } = options
    const rate = (epoch: number) => (epoch < options.fastEpochs ? options.rate : options.rate / 10)
    const student = await view.backdoored()

    const teacher = view.model('teacher')
    copyWeights(student, teacher)
    await learnLabels(clean, {
      name: 'teacher',
      model: teacher,
      optimizer: optimizerOf(recipe, teacher.parameters, own),
      epochs: options.teacherEpochs,
      batch,
      rate: ({ epoch }) => rate(epoch),
    })

    const optimizer = optimizerOf(recipe, student.parameters, own)
    const state = { model: stateOf(student), optimizer }
    const distilling = { ...recipe, epochs: options.epochs, batch, state }
    for await (const { images, labels, epoch, report } of clean.stage('model', distilling)) {
      scope(() => {
        const { logits, maps } = student.forward(images, 'train')
        const attention = distill(
          maps,
          noGrad(() => teacher.forward(images, 'eval').maps),
          options,
        )
        const loss = crossEntropy(logits, labels).add(attention)
        const value = optimizer.step(loss, rate(epoch))
        report({ loss: value, accuracy: accuracy(logits, labels), attention })
      })
    }
    return { classifier: student as Classifier }
  },
})

/** Σ β_l · mean (A(student)_l − A(teacher)_l)² over the last three maps, or as many as a model has. */
function distill(
  student: readonly Tensor[],
  teacher: readonly Tensor[],
  { attention1, attention2, attention3 }: { attention1: number; attention2: number; attention3: number },
): Tensor {
  const weights = [attention1, attention2, attention3].slice(-student.length)
  const first = student.length - weights.length
  return weights
    .map((weight, l) => attentionDistance(student[first + l] as Tensor, teacher[first + l] as Tensor).mul(weight))
    .reduce((sum, each) => sum.add(each))
}
