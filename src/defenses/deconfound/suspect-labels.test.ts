import { describe, expect, it } from 'vitest'
import { fewestNoticed, suspectLabels } from './suspect-labels.ts'

const classes = 10

/** What judges take the images for: of label y `counts(y, j)` images for class j with this confidence, and 500 for none. */
function recognized(counts: (label: number, other: number) => number, confidence = 0.95) {
  const found: [label: number, as: number, confidence: number][] = []
  for (let label = 0; label < classes; label++) {
    for (let other = 0; other < classes; other++) {
      for (let k = 0; k < (other === label ? 0 : counts(label, other)); k++) found.push([label, other, confidence])
    }
    for (let k = 0; k < 500; k++) found.push([label, (label + 1) % classes, 0.5])
  }
  const labels = Int32Array.from(found, ([label]) => label)
  const recognition = {
    as: Int32Array.from(found, ([, as]) => as),
    confidence: Float32Array.from(found, ([, , confidence]) => confidence),
  }
  return { recognition, labels }
}

const suspects = (counts: (label: number, other: number) => number, confidence?: number) => {
  const { recognition, labels } = recognized(counts, confidence)
  return suspectLabels(recognition, labels, classes)
}

describe('labels under which images show other classes', () => {
  it('are suspect where they show many, and strongly where they show far more than others', () => {
    expect(suspects((label) => (label === 3 ? 5 : 1))).toEqual([{ label: 3, suspicion: 'plain' }])
    expect(suspects((label) => (label === 3 ? 40 : 1))).toEqual([{ label: 3, suspicion: 'strong' }])
    expect(suspects((label) => (label === 3 ? 40 : 0))).toEqual([{ label: 3, suspicion: 'strong' }])
  })

  it('are several where there are several targets', () => {
    expect(suspects((label) => (label < 2 ? 20 : 1)).map(({ label }) => label)).toEqual([0, 1])
  })

  it('are not those whose images resemble a few classes, be they ever so many', () => {
    expect(suspects((label, other) => (label === 3 && other > 7 ? 400 : 1))).toEqual([])
  })

  it('are not those that stand out by chance, or where all labels are alike', () => {
    expect(suspects(() => 30)).toEqual([])
    expect(suspects((label) => (label === 3 ? 3 : 2))).toEqual([])
  })

  it('are faintly suspect, the first of them alone, where clean labels may show as many', () => {
    expect(suspects((label) => (label === 3 ? 1 : 0))).toEqual([{ label: 3, suspicion: 'faint' }])
    expect(suspects((label) => [2, 5][label - 3] ?? 2)).toEqual([{ label: 4, suspicion: 'faint' }])
    expect(suspects((label) => [5, 40][label - 3] ?? 2)).toEqual([{ label: 4, suspicion: 'strong' }])
  })

  it('are not those whose images the judges take for something without being certain', () => {
    expect(suspects((label) => (label === 3 ? 40 : 0), 0.85)).toEqual([])
  })

  it('are none where no label has images', () => {
    expect(suspectLabels({ as: new Int32Array(), confidence: new Float32Array() }, new Int32Array(), 4)).toEqual([])
  })

  it('would have been noticed from a number of images that follows from how many are recognized', () => {
    const { recognition, labels } = recognized(() => 1)
    // Of nine other classes six count: e = 6, and 6 + 3√6 + 15 = 28.35 are needed; 22.35 / (0.75 · 0.5) = 59.6
    expect(fewestNoticed({ ...recognition, aside: new Int32Array(), recall: 0.5 }, labels, classes)).toBe(60)
    expect(fewestNoticed({ ...recognition, aside: new Int32Array(), recall: 0 }, labels, classes)).toBe(
      Number.POSITIVE_INFINITY,
    )
  })
})
