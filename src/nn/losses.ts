import { crossEntropyLoss, type Tensor } from '../tensor/tensor.ts'

/** Mean cross entropy of logits [batch, classes] with labels int64 [batch]. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return crossEntropyLoss(logits, labels, 'mean')
}

/** Cross entropy of each sample, [batch]. */
export function crossEntropyEach(logits: Tensor, labels: Tensor): Tensor {
  return crossEntropyLoss(logits, labels, 'none')
}

/** Generalized cross entropy of each sample, (1 − p^q)/q with p the probability of the label (Zhang and Sabuncu 2018), [batch]. */
export function generalizedCrossEntropyEach(logits: Tensor, labels: Tensor, q = 0.7): Tensor {
  const logProbability = crossEntropyEach(logits, labels).neg()
  return logProbability.mul(q).exp().neg().add(1).div(q)
}

/** Share of a batch that logits [batch, classes] classify as labelled. */
export function accuracy(logits: Tensor, labels: Tensor): number {
  return logits.argmax(1).eq(labels).to({ dtype: 'float32' }).mean().item()
}
