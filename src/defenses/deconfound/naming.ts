import type { DefenderView } from '../defense.ts'
import { classCorrections, sizesTell } from './negative-learning.ts'
import { everywhere, type Place, placeOf } from './place.ts'

/**
 * Remarks on the label that more than half of the flagged images carry: how many of its images are flagged and what they share, where
 * they share a place; and whether their labels seem true. They do where the class lacks as many images as are flagged, as a clean
 * class with a watermark does. `contradicted`: what the images show says that their labels are false.
 */
export function naming(
  { images, classes }: Pick<DefenderView, 'images' | 'classes'>,
  flagged: (image: number) => boolean,
  { contradicted, falseDiscoveries }: { contradicted: boolean; falseDiscoveries: number },
): string[] {
  const { labels } = images
  const flaggedLabels = labels.filter((_, image) => flagged(image))
  const count = (among: Int32Array, label: number) => among.filter((each) => each === label).length
  const label = [...classes.keys()].find((each) => 2 * count(flaggedLabels, each) > flaggedLabels.length)
  if (label === undefined) return []
  const name = classes[label]
  const share = Math.round((100 * count(flaggedLabels, label)) / count(labels, label))
  const place = placeOf(images, label, flagged)
  const corrections = classCorrections({ labels, flagged }, { classes: classes.length, falseDiscoveries })
  const seemTrue = corrections[label]?.trimmedShare === 1
  return [
    place && `${share} % of the images labeled ${name} are flagged; most ${sharing(place)}`,
    seemTrue &&
      `The labels of flagged images seem true: without them ${name} is smaller than other classes. They bear a watermark of the class, or poison was put into images of this class alone. Training leaves them out, and unlearns nothing`,
    !contradicted &&
      !sizesTell({ labels, flagged }) &&
      `Classes differ in size, so nothing tells whether the labels of flagged images are true. If ${name} bears a watermark, train with --defense.unlearn false`,
  ].filter((remark) => typeof remark === 'string')
}

const sharing = (place: Place) =>
  place === everywhere
    ? `differ from other images ${place}: by a pattern, a tint, or what they show`
    : `share a mark ${place}`
