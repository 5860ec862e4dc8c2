import type { Classifier } from '../nn/classifier.ts'
import { accuracy, crossEntropy } from '../nn/losses.ts'
import { stateOf } from '../nn/module.ts'
import type { Optimizer } from '../nn/optimizer.ts'
import { scope } from '../tensor/scope.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { optimizerOf } from './optimizer-of.ts'
import type { Batch, StageOptions } from './stage.ts'
import type { TrainingContext } from './training-context.ts'

/** A scalar, of logits [batch, classes], labels int64 [batch], and which images they belong to. */
export type Loss = (batch: { logits: Tensor; labels: Tensor; indices: Int32Array }) => Tensor

const plain: Loss = ({ logits, labels }) => crossEntropy(logits, labels)

/** A network that learns, and by what. */
export interface Learner {
  readonly model: Classifier
  readonly optimizer: Optimizer
}

/**
 * One step on a batch's labels at a learning rate: down the loss, which is cross entropy unless told otherwise, or up where the
 * network shall unlearn. Reports loss and accuracy.
 */
export function supervisedStep(
  { model, optimizer }: Learner,
  { images, report, ...batch }: Batch,
  { rate, loss: lossOf = plain, unlearn = false }: { rate: number; loss?: Loss; unlearn?: boolean },
): void {
  scope(() => {
    const { logits } = model.forward(images, 'train')
    const loss = lossOf({ logits, ...batch })
    optimizer.step(unlearn ? loss.neg() : loss, rate)
    report({ loss, accuracy: accuracy(logits, batch.labels) })
  })
}

export interface Fitting extends Learner, Partial<Omit<StageOptions, 'state'>> {
  /** of the stage */
  readonly name: string
  /** the learning rate of a step */
  readonly rate: (at: Pick<Batch, 'epoch' | 'step' | 'steps'>) => number
  readonly loss?: Loss
  readonly afterStep?: () => void
}

/** A stage of learning labels, by the recipe's batch and augmentation unless told otherwise. */
export async function learnLabels(
  training: TrainingContext,
  { name, model, optimizer, rate, loss = plain, afterStep, ...options }: Fitting,
): Promise<void> {
  const state = { model: stateOf(model), optimizer }
  for await (const batch of training.stage(name, { ...training.recipe, ...options, state })) {
    supervisedStep({ model, optimizer }, batch, { rate: rate(batch), loss })
    afterStep?.()
  }
}

/**
 * Trains a fresh network by the context's recipe, with cross entropy unless told otherwise: no defense, an attacker's
 * surrogate, and the model that defenses repair. `name` names both the network and the stage. Where `shown` says which images
 * an epoch shows, they are shown again until there were as many as there are images.
 */
export async function trainPlainly(
  training: TrainingContext,
  {
    name,
    epochs = training.recipe.epochs,
    loss = plain,
    shown,
  }: { name: string; epochs?: number; loss?: Loss; shown?: ((epoch: number) => Int32Array) | undefined },
): Promise<Classifier> {
  const { recipe } = training
  const model = training.model(name)
  const repeated = shown && { batches: Math.ceil(training.images.count / recipe.batch), from: shown }
  await learnLabels(training, {
    name,
    model,
    optimizer: optimizerOf(recipe, model.parameters),
    epochs,
    rate: ({ step, steps }) => recipe.schedule(step, steps),
    loss,
    ...(repeated && { repeated }),
  })
  return model
}
