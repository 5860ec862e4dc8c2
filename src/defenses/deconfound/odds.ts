import type { Recognition } from './recognition.ts'

/**
 * How likely the judges see another class than the label in each of `own`, the images of one label:
 *
 *     o = c / (1 − c) · min(1, r̃ / r_j)     c: confidence, j: the class, r_j = Σ c of those taken for j / images labelled j
 *
 * r̃ is the median of r over the classes. Where many images of a label are taken for one class, the two look alike.
 */
export function oddsOf(
  own: Int32Array,
  {
    recognition: { as, confidence },
    labels,
    classes,
  }: { recognition: Recognition; labels: Int32Array; classes: number },
): Float32Array {
  const sizes = new Float64Array(classes)
  for (const label of labels) sizes[label] = (sizes[label] as number) + 1
  const taken = new Float64Array(classes)
  for (const image of own) {
    const j = as[image] as number
    taken[j] = (taken[j] as number) + (confidence[image] as number) / (sizes[j] as number)
  }
  const usual = taken.toSorted()[classes >> 1] as number
  return Float32Array.from(own, (image) => {
    const [c, r] = [confidence[image] as number, taken[as[image] as number] as number]
    return (c / (1 - c + 1e-3)) * Math.min(1, usual / r)
  })
}
