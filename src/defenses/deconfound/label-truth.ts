import type { DefenderView } from '../defense.ts'
import { classCorrections, type FlaggedImages, sizesTell } from './negative-learning.ts'

/**
 * A remark on whether the labels of flagged images seem true, where more than half of these images carry one label. They do where the class
 * lacks as many images as are flagged, as a clean class with a watermark does. `contradicted`: what the images show says that the
 * labels are false. Null where there is nothing to say.
 */
export function labelTruth(
  { labels, flagged }: FlaggedImages,
  {
    classes,
    contradicted,
    falseDiscoveries,
  }: Pick<DefenderView, 'classes'> & {
    contradicted: boolean
    falseDiscoveries: number
  },
): string | null {
  const flaggedLabels = labels.filter((_, image) => flagged(image))
  const countOf = (label: number) => flaggedLabels.filter((each) => each === label).length
  const label = [...classes.keys()].find((each) => 2 * countOf(each) > flaggedLabels.length)
  if (label === undefined) return null
  const corrections = classCorrections({ labels, flagged }, { classes: classes.length, falseDiscoveries })
  if (corrections[label]?.trimmedShare === 1) {
    return `The labels of flagged images seem true: without them ${classes[label]} is smaller than other classes. They bear a watermark of the class, or poison was put into images of this class alone. Training leaves them out, and unlearns nothing`
  }
  if (contradicted || sizesTell({ labels, flagged })) return null
  return `Classes differ in size, so nothing tells whether the labels of flagged images are true. If ${classes[label]} bears a watermark, train with --defense.unlearn false`
}
