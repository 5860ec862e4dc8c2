import type { Verdict } from '../training/suspicion.ts'
import { whole } from './numbers.ts'

/** Below so many images, nothing found says little. */
const few = 300
/** Up to so many images, most evidence is weak. */
const mostlyWeak = 5000

/** What a verdict means, in a sentence; `images` is how many were searched, where that is known. */
export function saidOf(verdict: Verdict, images?: number): string {
  return sentences[verdict](images)
}

const sentences: Readonly<Record<Verdict, (images?: number) => string>> = {
  found: () => 'the flagged images look poisoned',
  weak: (images = Infinity) => {
    const usual = images < mostlyWeak ? ', as is usual with so few images' : ''
    return `the flagged images stand out, but not by much${usual}: look at some before you remove any`
  },
  none(images) {
    if (images === undefined) return 'no poison found'
    const limit = `fewer than about ${whole(fewestFound(images))} poisoned images cannot be found`
    if (images < few) return `no poison found, and ${whole(images)} images are too few to tell: ${limit}`
    return `no poison found; among ${whole(images)} images, ${limit}, and faint triggers need more`
  },
  'not-judged': () => 'the images are ranked, and whether any is poisoned was not judged',
}

/**
 * max(10, √N / 2) of N images. Ten is a bound (docs/deconfound.md); the root stays below the fewest that were found, 25 of
 * 250, 50 of 5,000 and 135 of 45,000.
 */
export function fewestFound(images: number): number {
  return Math.max(10, Math.round(Math.sqrt(images) / 2))
}
