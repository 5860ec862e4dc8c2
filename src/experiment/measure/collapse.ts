import type { EpochMetrics } from '../../training/stage.ts'

/** More than the share of the largest class by so much is more than one class. */
const margin = 0.01
/** Before so many images were shown a sound model may know no more than one class; and before two epochs. */
const imagesShown = 20_000

/**
 * Watches the metrics of the epochs that this process trains, and says when the model has left only one class: when its
 * training accuracy has not exceeded the share of the largest class for two epochs in a row, and for 20,000 images. `labels`
 * are those that it is trained on.
 */
export function watchForCollapse(labels: Int32Array, say: (line: string) => void): (metrics: EpochMetrics) => void {
  const counts = new Map<number, number>()
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
  const epochs = Math.max(2, Math.ceil(imagesShown / labels.length))
  const largest = Math.max(...counts.values()) / labels.length
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  let since = 0
  return ({ stage, epoch, accuracy }) => {
    if (stage !== 'model' || counts.size < 2) return
    const right = Number(accuracy)
    since = right <= largest + margin ? since + 1 : 0
    if (since !== epochs) return
    const facts = `training accuracy ${percent(right)} after epoch ${epoch + 1}, the largest class has ${percent(largest)} of the images`
    say(`The model has collapsed to one class: ${facts}. Try another preset, a lower --learning-rate or another --seed`)
  }
}
