import { crossEntropy, crossEntropyEach, negativeLearningEach } from '../nn/losses.ts'
import { noGrad, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Loss } from './train-plainly.ts'

/**
 * Cross entropy, but of the suspects −log(1 − p_y), with y the label: they teach what they are not (negative learning, Kim et al.
 * 2019). Were they only left out, a few poisoned images that had been missed would be enough to teach the trigger; so they are
 * outweighed by all that were found.
 *
 * Some suspects are what their label says, named by mistake or poisoned within their own class. So of each batch's
 * suspects the share `spared`, to whole images, those with the highest p_y, teaches nothing (trimmed, as in Shen and Sanghavi 2019).
 */
export function distrust(suspected: (image: number) => boolean, { spared }: { spared: number }): Loss {
  return ({ logits, labels, indices }) => {
    const suspects = Array.from(indices.keys()).filter((place) => suspected(indices[place] as number))
    if (suspects.length === 0) return crossEntropy(logits, labels)
    const p = noGrad(() => logits.softmax(1).gather(1, labels.unsqueeze(1)).numbers())
    suspects.sort((a, b) => (p[b] as number) - (p[a] as number))
    const wrong = suspects.slice(Math.round(spared * suspects.length))
    const [believed, denied] = [new Float32Array(indices.length).fill(1), new Float32Array(indices.length)]
    for (const place of suspects) believed[place] = 0
    for (const place of wrong) denied[place] = 1
    const weigh = (losses: Tensor, weights: Float32Array) =>
      losses.mul(tensor(weights, [weights.length]).to({ device: losses.device }))
    return weigh(crossEntropyEach(logits, labels), believed)
      .add(weigh(negativeLearningEach(logits, labels), denied))
      .mean()
  }
}
