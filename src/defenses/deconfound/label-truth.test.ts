import { describe, expect, it } from 'vitest'
import { findings } from '../../training/suspicion.ts'
import { labelTruth } from './label-truth.ts'

const classes = ['barn', 'church', 'house', 'mill']

/** What is said where so many images of each class are flagged, of so many. */
function said(flaggedCounts: readonly number[], sizes: readonly number[], contradicted = false) {
  const marked = sizes.flatMap((size, label) =>
    Array.from({ length: size }, (_, k) => ({ label, flagged: k < (flaggedCounts[label] as number) })),
  )
  const labels = Int32Array.from(marked, ({ label }) => label)
  const flagged = (image: number) => marked[image]?.flagged === true
  const score = Float32Array.from(labels, (_, image) => Number(flagged(image)))
  const { estimatedTarget: target } = findings({ score, threshold: 0.5, verdict: 'found' }, labels)
  return labelTruth({ labels, flagged }, { target, classes, contradicted, falseDiscoveries: 0.1 })
}

const alike = [100, 100, 100, 100]

describe('the labels of flagged images', () => {
  it('seem true where their class would else be smaller than the others', () => {
    expect(said([0, 62, 0, 0], alike)).toMatch(
      /^The labels of flagged images seem true: without these images church is smaller/,
    )
    expect(said([5, 80, 0, 0], alike)).toMatch(/^The labels of flagged images seem true/)
  })

  it('are false where the class is larger by them: nothing is said', () => {
    expect(said([40, 0, 0, 0], [140, 90, 90, 80])).toBeNull()
  })

  it('are open where classes differ in size, unless content contradicts them', () => {
    const sizes = [20, 60, 140, 180]
    expect(said([0, 40, 0, 0], sizes)).toMatch(/If church bears a watermark, train with --defense\.unlearn false$/)
    expect(said([0, 40, 0, 0], sizes, true)).toBeNull()
  })

  it('are not spoken of where nothing is flagged, or no label has more than half of it', () => {
    expect(said([0, 0, 0, 0], alike)).toBeNull()
    expect(said([20, 20, 0, 0], alike)).toBeNull()
  })
})
