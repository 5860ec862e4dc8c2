import { crossEntropy, crossEntropyEach, negativeLearningEach } from '../../nn/losses.ts'
import { noGrad, type Tensor, tensor } from '../../tensor/tensor.ts'
import type { Loss } from '../../training/learn-labels.ts'

/** A flagged image is shown in one of this many epochs, and its loss is weighted by the same number. */
const period = 2

/** Labels, one per image, and which images are flagged as poisoned. */
export interface FlaggedImages {
  readonly labels: Int32Array
  readonly flagged: (image: number) => boolean
}

/** Corrects the loss for what flagging takes from one class. */
interface ClassCorrection {
  /** unflagged / (unflagged + lost), in (0, 1]: the class is learned as if it had its lost images; 1 corrects nothing */
  readonly prior: number
  /** share of a batch's flagged images of this label that have no loss, since their label may be right; 0 to 1 */
  readonly trimmedShare: number
}

/**
 * ℓ = −log p_y of an image that is not flagged; ℓ = −2·log(1 − p_y) of a flagged one, y being its label; 0 of a trimmed one.
 * p = softmax(logits + log prior). The loss of a batch is the mean over all its images.
 *
 * −log(1 − p_y) is negative learning (Kim et al. 2019): a flagged image teaches that its label is wrong. The many flagged images
 * so outweigh the few poisoned ones that were missed, which alone would teach the trigger. Trimmed are, of a batch's
 * flagged images of a label, the `trimmedShare` with the largest p_y, rounded to whole images (Shen and Sanghavi 2019).
 * Adding log prior is logit adjustment (Menon et al. 2021). `corrections`: one per class.
 */
export function negativeLearningLoss(
  { labels: given, flagged }: FlaggedImages,
  corrections: readonly ClassCorrection[],
): Loss {
  const logPrior = Float32Array.from(corrections, ({ prior }) => Math.log(prior))
  return ({ logits: unadjusted, labels, indices }) => {
    const logits = logPrior.some((each) => each !== 0) ? unadjusted.add(like(unadjusted, logPrior)) : unadjusted
    const flaggedPlaces = Array.from(indices.keys()).filter((place) => flagged(indices[place] as number))
    if (flaggedPlaces.length === 0) return crossEntropy(logits, labels)
    const p = noGrad(() => logits.softmax(1).gather(1, labels.unsqueeze(1)).numbers())
    flaggedPlaces.sort((a, b) => (p[b] as number) - (p[a] as number))
    const positive = new Float32Array(indices.length).fill(1) // weight of −log p_y
    const negative = new Float32Array(indices.length) // weight of −log(1 − p_y)
    for (const place of flaggedPlaces) positive[place] = 0
    for (const [label, { trimmedShare }] of corrections.entries()) {
      const own = flaggedPlaces.filter((place) => given[indices[place] as number] === label)
      for (const place of own.slice(Math.round(trimmedShare * own.length))) negative[place] = period
    }
    return crossEntropyEach(logits, labels)
      .mul(like(logits, positive))
      .add(negativeLearningEach(logits, labels).mul(like(logits, negative)))
      .mean()
  }
}

const like = ({ device }: Tensor, numbers: Float32Array) => tensor(numbers, [numbers.length]).to({ device })

/**
 * The images an epoch shows: all that are not flagged, and every other flagged one, in turn. Their loss has weight 2 in
 * return. Undefined, which means all images, where none is flagged.
 */
export function shownIn({ labels, flagged }: FlaggedImages): ((epoch: number) => Int32Array) | undefined {
  let count = 0
  const turn = labels.map((_, image) => (flagged(image) ? count++ % period : -1))
  const images = Int32Array.from(labels.keys())
  if (count === 0) return undefined
  return (epoch) => images.filter((image) => turn[image] === -1 || turn[image] === epoch % period)
}

/**
 * One correction per class y, from n_y images that are not flagged and m_y that are; N images, C classes, q:
 *
 *     trimmedShare = min(1, q + max(0, N/C − n_y) / m_y)
 *     lost         = min(m_y, max(0, mean n − n_y))
 *     prior        = n_y / (n_y + lost)
 *
 * q stands for the clean images among the flagged ones, N/C − n_y for what the class lacks. Poison chosen from all classes
 * takes about 1/C of its images from the target class itself, and takes from all classes alike: prior 1. Clean-label
 * poison lies in one class: all its flagged images are trimmed, and its prior falls.
 *
 * Class sizes say this only where classes are of similar size. Where they are not, trimmedShare = q + 1/C and prior = 1.
 * C and the means count only classes that have images.
 */
export function classCorrections(
  { labels, flagged }: FlaggedImages,
  { classes, falseDiscoveries }: { classes: number; falseDiscoveries: number },
): ClassCorrection[] {
  const unflaggedCounts = Array<number>(classes).fill(0)
  const flaggedCounts = Array<number>(classes).fill(0)
  labels.forEach((label, image) => {
    const counts = flagged(image) ? flaggedCounts : unflaggedCounts
    counts[label] = (counts[label] as number) + 1
  })
  const present = new Set(labels)
  if (!sizesTell({ labels, flagged })) {
    const trimmedShare = Math.min(1, falseDiscoveries + 1 / present.size)
    return unflaggedCounts.map(() => ({ prior: 1, trimmedShare }))
  }
  const meanSize = labels.length / present.size
  const meanUnflagged = unflaggedCounts.reduce((sum, count) => sum + count, 0) / present.size
  return unflaggedCounts.map((count, label) => {
    const ownFlagged = flaggedCounts[label] as number
    const lost = Math.min(ownFlagged, Math.max(0, meanUnflagged - count))
    const lacking = Math.max(0, meanSize - count)
    return {
      prior: count === 0 ? 1 : count / (count + lost), // a class without unflagged images has nothing to correct
      trimmedShare: Math.min(1, falseDiscoveries + lacking / Math.max(1, ownFlagged)),
    }
  })
}

/** The labels of which more than nine tenths of the images are flagged, ascending. */
export function nearlyAllFlagged({ labels, flagged }: FlaggedImages): number[] {
  const unflagged = labels.filter((_, image) => !flagged(image))
  const count = (among: Int32Array, wanted: number) => among.filter((label) => label === wanted).length
  return [...new Set(labels)]
    .filter((label) => 10 * count(unflagged, label) < count(labels, label))
    .sort((a, b) => a - b)
}

/** Whether class sizes say if the labels of flagged images are true, see `classCorrections`. */
export function sizesTell({ labels, flagged }: FlaggedImages): boolean {
  const sizes = new Map(Array.from(labels, (label) => [label, 0]))
  for (const [image, label] of labels.entries()) {
    if (!flagged(image)) sizes.set(label, (sizes.get(label) as number) + 1)
  }
  return similar([...sizes.values()])
}

/** Whether more than half of the sizes are within a quarter of the median size. */
function similar(sizes: readonly number[]): boolean {
  const median = [...sizes].sort((a, b) => a - b)[sizes.length >> 1] as number
  return 2 * sizes.filter((size) => Math.abs(size - median) <= median / 4).length > sizes.length
}
