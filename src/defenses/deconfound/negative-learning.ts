import { crossEntropy, crossEntropyEach, negativeLearningEach } from '../../nn/losses.ts'
import { noGrad, type Tensor, tensor } from '../../tensor/tensor.ts'
import type { Loss } from '../../training/train-plainly.ts'

/** A suspect is shown in one of so many epochs, and weighs as much more. */
const turns = 2

/** Labels, one per image, and which of the images are suspected of carrying a false one. */
interface Distrusted {
  readonly labels: Int32Array
  readonly suspected: (image: number) => boolean
}

/** What a class loses to suspicion: the share of its images that is left, and of its suspects the share that may be what they say. */
interface Toll {
  readonly left: number
  readonly spared: number
}

/**
 * Cross entropy, but of the suspects −log(1 − p_y), with y the label: they teach what they are not (negative learning, Kim et al.
 * 2019). Were they only left out, a few poisoned images that had been missed would be enough to teach the trigger; so they are
 * outweighed by all that were found.
 *
 * Some suspects are what their label says. So of each batch's suspects of a label the share `spared`, to whole images, those
 * with the highest p_y, teaches nothing (trimmed, as in Shen and Sanghavi 2019). And a class of which little is `left` is rare only
 * here: p is the softmax of the logits + log left (logit adjustment, Menon et al. 2021).
 */
export function distrust({ labels: given, suspected }: Distrusted, tolls: readonly Toll[]): Loss {
  const adjustment = Float32Array.from(tolls, ({ left }) => Math.log(left))
  return ({ logits: unadjusted, labels, indices }) => {
    const logits = adjustment.some((each) => each !== 0) ? unadjusted.add(like(unadjusted, adjustment)) : unadjusted
    const suspects = Array.from(indices.keys()).filter((place) => suspected(indices[place] as number))
    if (suspects.length === 0) return crossEntropy(logits, labels)
    const p = noGrad(() => logits.softmax(1).gather(1, labels.unsqueeze(1)).numbers())
    suspects.sort((a, b) => (p[b] as number) - (p[a] as number))
    const [believed, denied] = [new Float32Array(indices.length).fill(1), new Float32Array(indices.length)]
    for (const place of suspects) believed[place] = 0
    for (const [label, { spared }] of tolls.entries()) {
      const own = suspects.filter((place) => given[indices[place] as number] === label)
      for (const place of own.slice(Math.round(spared * own.length))) denied[place] = turns
    }
    return crossEntropyEach(logits, labels)
      .mul(like(logits, believed))
      .add(negativeLearningEach(logits, labels).mul(like(logits, denied)))
      .mean()
  }
}

const like = ({ device }: Tensor, numbers: Float32Array) => tensor(numbers, [numbers.length]).to({ device })

/**
 * The images an epoch shows: all that are believed, and of the suspects every other one, in turn, twice as heavy; undefined, which is
 * all, where there are none. Each suspect left out makes room for an image whose label can be learned.
 */
export function shownIn({ labels, suspected }: Distrusted): ((epoch: number) => Int32Array) | undefined {
  let suspects = 0
  const turn = labels.map((_, image) => (suspected(image) ? suspects++ % turns : -1))
  const images = Int32Array.from(labels.keys())
  if (suspects === 0) return undefined
  return (epoch) => images.filter((image) => turn[image] === -1 || turn[image] === epoch % turns)
}

/**
 * What suspicion takes from each class, as far as sizes tell.
 *
 * Spared are those named by mistake, and as many as the class lacks without its suspects. Of poison chosen from all C classes that
 * is about 1/C, the target's own; of a class poisoned under its own label (clean-label) it is all. Such poison takes from
 * one class, the other from all alike, so that lost is what the class lacks beside the others as they are left.
 * Where classes differ in size anyway that says nothing: labels are then taken to be false, and no class to be rare by suspicion.
 */
export function takeToll(
  { labels, suspected }: Distrusted,
  { classes, falseDiscoveries }: { classes: number; falseDiscoveries: number },
): Toll[] {
  const [kept, suspects] = [Array<number>(classes).fill(0), Array<number>(classes).fill(0)]
  labels.forEach((label, image) => {
    const counts = suspected(image) ? suspects : kept
    counts[label] = (counts[label] as number) + 1
  })
  const present = new Set(labels) // a class may have no images at all
  const sizes = kept.filter((_, label) => present.has(label))
  if (!alike(sizes)) return kept.map(() => ({ left: 1, spared: Math.min(1, falseDiscoveries + 1 / present.size) }))
  const size = labels.length / present.size
  const sizeLeft = sizes.reduce((sum, count) => sum + count, 0) / present.size
  return kept.map((count, label) => {
    const named = suspects[label] as number
    const lost = Math.min(named, Math.max(0, sizeLeft - count))
    const lacking = Math.max(0, size - count)
    return {
      left: count === 0 ? 1 : count / (count + lost), // nothing can be learned of a class without images
      spared: Math.min(1, falseDiscoveries + lacking / Math.max(1, named)),
    }
  })
}

/** The labels of which suspicion leaves less than a tenth. */
export function nearlyLost({ labels, suspected }: Distrusted): number[] {
  const kept = labels.filter((_, image) => !suspected(image))
  const count = (among: Int32Array, wanted: number) => among.filter((label) => label === wanted).length
  return [...new Set(labels)].filter((label) => 10 * count(kept, label) < count(labels, label)).sort((a, b) => a - b)
}

/** Whether more than half of the sizes are within a quarter of the one in the middle. */
function alike(sizes: readonly number[]): boolean {
  const middle = [...sizes].sort((a, b) => a - b)[sizes.length >> 1] as number
  return 2 * sizes.filter((size) => Math.abs(size - middle) <= middle / 4).length > sizes.length
}
