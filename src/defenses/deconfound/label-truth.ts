import { classCorrections, type FlaggedImages, sizesTell } from './negative-learning.ts'

interface Known {
  readonly target: number | null
  readonly classes: readonly string[]
  readonly contradicted: boolean
  readonly falseDiscoveries: number
}

/**
 * A remark on whether the labels of flagged images seem true; `target` is the label that most of these images carry. Labels seem true
 * where the class lacks as many images as are flagged, as a clean class with a watermark does. `contradicted`: what the images
 * show says that the labels are false. Null where there is nothing to say.
 */
export function labelTruth(
  flaggedImages: FlaggedImages,
  { target, classes, contradicted, falseDiscoveries }: Known,
): string | null {
  if (target === null) return null
  const corrections = classCorrections(flaggedImages, { classes: classes.length, falseDiscoveries })
  if (corrections[target]?.trimmedShare === 1) {
    return `The labels of flagged images seem true: without these images ${classes[target]} is smaller than other classes. Either the images bear a watermark of their class, or poison was put into images of this class alone. Training leaves the images out, and unlearns nothing`
  }
  if (contradicted || sizesTell(flaggedImages)) return null
  return `Classes differ in size, so nothing tells whether the labels of flagged images are true. If ${classes[target]} bears a watermark, train with --defense.unlearn false`
}
