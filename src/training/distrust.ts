import { crossEntropy, crossEntropyEach, negativeLearningEach } from '../nn/losses.ts'
import { noGrad, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Loss } from './train-plainly.ts'

/** Labels, one per image, and which of the images are suspected of carrying a false one. */
interface Distrusted {
  readonly labels: Int32Array
  readonly suspected: (image: number) => boolean
}

/**
 * Cross entropy, but of the suspects −log(1 − p_y), with y the label: they teach what they are not (negative learning, Kim et al.
 * 2019). Were they only left out, a few poisoned images that had been missed would be enough to teach the trigger; so they are
 * outweighed by all that were found.
 *
 * Some suspects are what their label says. So of each batch's suspects of a label the share `spared[label]`, to whole images, those
 * with the highest p_y, teaches nothing (trimmed, as in Shen and Sanghavi 2019).
 */
export function distrust({ labels: given, suspected }: Distrusted, spared: readonly number[]): Loss {
  return ({ logits, labels, indices }) => {
    const suspects = Array.from(indices.keys()).filter((place) => suspected(indices[place] as number))
    if (suspects.length === 0) return crossEntropy(logits, labels)
    const p = noGrad(() => logits.softmax(1).gather(1, labels.unsqueeze(1)).numbers())
    suspects.sort((a, b) => (p[b] as number) - (p[a] as number))
    const [believed, denied] = [new Float32Array(indices.length).fill(1), new Float32Array(indices.length)]
    for (const place of suspects) believed[place] = 0
    for (const [label, share] of spared.entries()) {
      const own = suspects.filter((place) => given[indices[place] as number] === label)
      for (const place of own.slice(Math.round(share * own.length))) denied[place] = 1
    }
    const weigh = (losses: Tensor, weights: Float32Array) =>
      losses.mul(tensor(weights, [weights.length]).to({ device: losses.device }))
    return weigh(crossEntropyEach(logits, labels), believed)
      .add(weigh(negativeLearningEach(logits, labels), denied))
      .mean()
  }
}

/**
 * Which share of each label's suspects may be what it says: those named by mistake, and as many as the class lacks without its
 * suspects, were all classes of one size. Of poison chosen from all C classes that is about 1/C, the target's own; of a
 * class poisoned under its own label (clean-label) it is all.
 */
export function sparedShares(
  { labels, suspected }: Distrusted,
  { classes, falseDiscoveries }: { classes: number; falseDiscoveries: number },
): number[] {
  const [kept, suspects] = [Array<number>(classes).fill(0), Array<number>(classes).fill(0)]
  labels.forEach((label, image) => {
    const counts = suspected(image) ? suspects : kept
    counts[label] = (counts[label] as number) + 1
  })
  return suspects.map((count, label) => {
    const lacking = Math.max(0, labels.length / classes - (kept[label] as number))
    return Math.min(1, falseDiscoveries + lacking / Math.max(1, count))
  })
}
