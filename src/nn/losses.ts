import { arange, crossEntropyLoss, type Tensor } from '../tensor/tensor.ts'

/** Mean cross entropy of logits [batch, classes] with labels int64 [batch]. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return crossEntropyLoss(logits, labels, 'mean')
}

/** Cross entropy of each sample, [batch]. */
export function crossEntropyEach(logits: Tensor, labels: Tensor): Tensor {
  return crossEntropyLoss(logits, labels, 'none')
}

/**
 * Local gradient ascent (Li et al. 2021), sign(ℓ − level)·ℓ, which keeps ℓ at the level: of each sample where ℓ is
 * [batch], of a batch's mean where ℓ is a scalar.
 */
export function heldUp(losses: Tensor, level: number): Tensor {
  return losses.mul(losses.detach().sub(level).sign())
}

/** Generalized cross entropy of each sample, (1 − p^q)/q with p the probability of the label (Zhang and Sabuncu 2018), [batch]. */
export function generalizedCrossEntropyEach(logits: Tensor, labels: Tensor, q = 0.7): Tensor {
  const logProbability = crossEntropyEach(logits, labels).neg()
  return logProbability.mul(q).exp().neg().add(1).div(q)
}

/** −log(1 − p) of each sample, with p the probability of the label, which it is known not to be (Kim et al. 2019), [batch]. */
export function negativeLearningEach(logits: Tensor, labels: Tensor): Tensor {
  const others = oneHot(labels, logits.shape[1] as number)
    .neg()
    .add(1)
  return logits.softmax(1).mul(others).sum([1]).clamp(1e-30, 1).log().neg() // 1 − p itself would be 0 too soon
}

/**
 * Symmetric cross entropy of each sample (Wang et al. 2019), [batch]: 0.1·CE(p, y) + CE(y, p), the label's distribution
 * being clamped to 1e-4 and up, the probabilities to 1e-7 and up.
 */
export function symmetricCrossEntropyEach(logits: Tensor, labels: Tensor): Tensor {
  const p = logits.softmax(1).clamp(1e-7, 1)
  const ofOthers = p.sum([1]).sub(p.gather(1, labels.unsqueeze(1)).squeeze(1))
  return crossEntropyEach(logits, labels)
    .mul(0.1)
    .add(ofOthers.mul(-Math.log(1e-4))) // − Σ p·log y, where log 1 = 0
}

/** Mean cross entropy of logits with distributions, [batch, classes] both. */
export function softCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return logits.logSoftmax(1).mul(targets).sum([1]).mean().neg()
}

/** float32 [batch, classes] of labels int64 [batch]: 1 for the label, else 0. */
export function oneHot(labels: Tensor, classes: number): Tensor {
  return labels
    .unsqueeze(1)
    .eq(arange(classes, { device: labels.device }))
    .to({ dtype: 'float32' })
}

/** Share of a batch that logits [batch, classes] classify as labelled, a scalar. */
export function accuracy(logits: Tensor, labels: Tensor): Tensor {
  return logits.argmax(1).eq(labels).to({ dtype: 'float32' }).mean()
}
