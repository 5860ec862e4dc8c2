import type { Common, Facts } from './facts.ts'
import { whole } from './numbers.ts'
import { placeOfPixel } from './place.ts'

export type Patches = NonNullable<Common['patches']>

/** Size and place of a patch, in words. */
export function placeOfPatch({ top, left, height, width }: Patches['all'][number], size: Facts['size']): string {
  const [y, x] = [Math.floor(top + height / 2), Math.floor(left + width / 2)]
  return `${width}×${height} pixels at the ${placeOfPixel(y, x, { height: size[0], width: size[1] })}`
}

/** A remark on the patch that most flagged images share, null where they share none. */
export function sharedPatch({ common, size }: Facts): string | null {
  const [patch] = [...(common?.patches?.all ?? [])].sort((a, b) => b.flagged - a.flagged)
  if (!patch) return null
  const others = patch.unflagged === 0 ? 'no others' : `${whole(patch.unflagged)} others`
  return `${whole(patch.flagged)} flagged images and ${others} look the same at one place: ${placeOfPatch(patch, size)}`
}
