import { imbalance } from './balance.ts'
import { labelClues } from './clues.ts'
import { exactDuplicates, nearDuplicates } from './copies.ts'
import type { Check } from './finding.ts'
import { oddSizes } from './odd-sizes.ts'
import { emptyClass, leftOut, truncated, unreadable, wrongType } from './unusable.ts'

/** What is looked for in a data set, by the kind of finding, in the order of the report. */
export const checks = {
  unreadable,
  truncated,
  'wrong-type': wrongType,
  'left-out': leftOut,
  'empty-class': emptyClass,
  'exact-duplicates': exactDuplicates,
  'near-duplicates': nearDuplicates,
  imbalance,
  'odd-size': oddSizes,
  'label-clue': labelClues,
} as const satisfies Record<string, Check>

export type Kind = keyof typeof checks
