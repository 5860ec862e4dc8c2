import { expect, it } from 'vitest'
import type { Facts } from './facts.ts'
import { sharedPatch } from './shared-patch.ts'

const facts = (carriers: readonly { flagged: number; unflagged: number }[]) =>
  ({
    size: [32, 32],
    common: {
      patches: { all: carriers.map((each) => ({ top: 29, left: 23, height: 2, width: 8, ...each })), marked: null },
    },
  }) as unknown as Facts

it('tells the patch that most flagged images carry', () => {
  expect(
    sharedPatch(
      facts([
        { flagged: 20, unflagged: 3 },
        { flagged: 1183, unflagged: 167 },
      ]),
    ),
  ).toBe('1,183 flagged images and 167 others look the same at one place: 8×2 pixels at the bottom right')
  expect(sharedPatch(facts([{ flagged: 144, unflagged: 0 }]))).toMatch(
    /^144 flagged images and no others look the same/,
  )
})

it('tells nothing where they share none, or were not compared', () => {
  expect(sharedPatch(facts([]))).toBeNull()
  expect(sharedPatch({ ...facts([]), common: null })).toBeNull()
})
